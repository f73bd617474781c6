package examples_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/examples"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/cases"
	"github.com/crmsyncd/crmsyncd/internal/starter"
)

var update = flag.Bool("update", false, "write the examples of the pairs anew")

var (
	pairSenders = []string{"telli", "voipgrid", "respondio", "sipgate"}
	pairCRMs    = []string{"hubspot", "airtable", "pipedrive", "salesforce"}
)

// pairs runs a test for each sender with each CRM.
func pairs(t *testing.T, run func(t *testing.T, sender, crm string)) {
	for _, sender := range pairSenders {
		for _, crm := range pairCRMs {
			t.Run(sender+"-"+crm, func(t *testing.T) {
				t.Parallel()
				run(t, sender, crm)
			})
		}
	}
}

var fromEnvironment = regexp.MustCompile(`\$\{([A-Z_]+)\}`)

// place writes an example into a folder, with secrets to try things out in the
// place of those from the environment, and with some texts replaced.
func place(t *testing.T, c starter.Choice, texts map[string]string, replace ...string) (config string) {
	t.Helper()
	dir := t.TempDir()
	secrets := map[string]string{}
	for _, s := range starter.Secrets(c) {
		secrets[s.Env] = s.Try
	}
	for name, text := range texts {
		if name == starter.Config {
			text = strings.NewReplacer(replace...).Replace(text)
			text = fromEnvironment.ReplaceAllStringFunc(text, func(s string) string {
				if secrets[s[2:len(s)-1]] == "" {
					return s
				}
				return secrets[s[2:len(s)-1]]
			})
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, starter.Config)
}

func pair(sender, crm string) starter.Choice {
	return starter.Choice{Sender: sender, CRMs: []string{crm}, Owner: "owner.two@example.com", Owners: []string{"owner.one@example.com"}}
}

// TestPairsAreWhatInitWrites holds the examples to the templates of crmsyncd
// init; -update writes them.
func TestPairsAreWhatInitWrites(t *testing.T) {
	t.Parallel()
	pairs(t, func(t *testing.T, sender, crm string) {
		c := pair(sender, crm)
		texts, err := starter.Make(c)
		if err != nil {
			t.Fatal(err)
		}
		path := place(t, c, texts)
		setup, problems := app.BuildOffline(path, "test")
		if len(problems) > 0 {
			t.Fatal(problems.Error())
		}
		filled, err := setup.Expect(filepath.Join(filepath.Dir(path), starter.Cases), []byte(texts[starter.Cases]))
		if err != nil {
			t.Fatal(err)
		}
		texts[starter.Cases] = string(filled)
		for _, name := range starter.Names {
			file := filepath.Join(sender+"-"+crm, name)
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(texts[name]), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			stands, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(texts[name], string(stands)); d != "" {
				t.Errorf("%s is not what crmsyncd init writes (-init +stands); run go test ./examples -update\n%s", file, d)
			}
		}
	})
}

// TestExamplesPassTheirCases tries the cases of every example that has some.
func TestExamplesPassTheirCases(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(examples.FS, "*/"+starter.Cases)
	if err != nil || len(files) < len(pairSenders)*len(pairCRMs) {
		t.Fatalf("found %v, %v; want one for each pair", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Dir(file), func(t *testing.T) {
			t.Parallel()
			setup, problems := app.BuildOffline(filepath.Join(filepath.Dir(file), starter.Config), "test")
			if len(problems) > 0 {
				t.Fatal(problems.Error())
			}
			text, err := examples.FS.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			read, problems := cases.Read(file, text, setup.CaseOptions())
			if len(problems) > 0 {
				t.Fatal(problems.Error())
			}
			var outcomes []cases.Outcome
			for _, c := range read.Cases {
				o := setup.RunCase(c, filepath.Dir(file))
				if outcomes = append(outcomes, o); !o.Passed() {
					t.Errorf("%s:\n%s", c.Name, o.Text())
				}
			}
			if cov := cases.Cover(setup.Rules, outcomes); cov.Touched < cov.Rules {
				t.Errorf("no case touches %+v", cov.Missed)
			}
		})
	}
}

package main

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/cases"
	"github.com/crmsyncd/crmsyncd/internal/starter"
)

// answers runs init with a person at the terminal.
func answers(t *testing.T, dir string, lines ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	w := wizard{in: bufio.NewReader(strings.NewReader(strings.Join(lines, "\n") + "\n")), out: &out, dir: dir}
	err := w.run()
	return out.String(), err
}

func TestInitAsksAndWritesWhatPassesItsOwnCases(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	out, err := answers(t, dir, "9", "airtable, 4", "Austria", "AT", "Europe/Vienna", "anna@example.com")
	if err != nil {
		t.Fatal(err, out)
	}
	for _, want := range []string{"  1  telli\n", "  3  respondio (respond.io)\n", "Number or name [telli]", `"Austria" is no country`, "crmsyncd test --config"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not asked or told:\n%s", want, out)
		}
	}
	settings, err := os.ReadFile(filepath.Join(dir, starter.Config))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"preset: placetel", "type: airtable", "type: salesforce", "country: AT", "timezone: Europe/Vienna"} {
		if !strings.Contains(string(settings), want) {
			t.Errorf("%q does not stand in\n%s", want, settings)
		}
	}
}

func TestInitAsksBeforeItWritesOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, starter.Mapping)
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	five := []string{"telli", "hubspot", "", "", ""}
	if out, err := answers(t, dir, append(five, "no")...); err == nil || !strings.Contains(out, "mapping.yaml is there already. Write over it? [no]") {
		t.Errorf("got %v, %s", err, out)
	}
	if text, _ := os.ReadFile(path); string(text) != "mine" {
		t.Errorf("no was answered, and there stands %s", text)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("something else was written: %v", left)
	}
	if out, err := answers(t, dir, append(five, "yes")...); err != nil {
		t.Errorf("got %v, %s", err, out)
	}
	if text, _ := os.ReadFile(path); !strings.Contains(string(text), "rules:") {
		t.Errorf("yes was answered, and there stands %s", text)
	}
}

func TestInitGivesUpWhereNothingIsChosen(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	for _, lines := range [][]string{{"0", "99", "x", "telli, sipgate", "-1"}, {}, {"telli", "hubspot", "", "", "no address", "a", "b", "c", "d"}} {
		if out, err := answers(t, dir, lines...); err == nil {
			t.Errorf("%q: %s", lines, out)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder was made")
	}
}

// TestEverythingThatInitCanWritePasses writes each sender with all CRMs.
func TestEverythingThatInitCanWritePasses(t *testing.T) {
	t.Parallel()
	var all []string
	for _, c := range starter.CRMs() {
		all = append(all, c.Name)
	}
	for _, s := range starter.Senders() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			w := wizard{in: bufio.NewReader(strings.NewReader("")), out: new(bytes.Buffer), dir: dir, yes: true, choice: starter.Choice{Sender: s.Name, CRMs: all}}
			if err := w.run(); err != nil {
				t.Fatal(err)
			}
			setup, problems := app.BuildOffline(filepath.Join(dir, starter.Config), "test")
			if len(problems) > 0 {
				t.Fatal(problems.Error())
			}
			files, err := caseFiles(setup, nil)
			if err != nil || len(files) != 1 {
				t.Fatal(files, err)
			}
			var outcomes []cases.Outcome
			for _, c := range files[0].Cases {
				o := setup.RunCase(c, dir)
				if outcomes = append(outcomes, o); !o.Passed() {
					t.Errorf("%s:\n%s", c.Name, o.Text())
				}
			}
			if s.Sample != "" {
				if cov := cases.Cover(setup.Rules, outcomes); cov.Touched < cov.Rules {
					t.Errorf("no case touches %+v", cov.Missed)
				}
			}
		})
	}
}

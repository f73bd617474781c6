package starter_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/starter"
	"github.com/crmsyncd/crmsyncd/sources/webhook"
)

func TestEveryPresetIsASender(t *testing.T) {
	t.Parallel()
	var got []string
	for _, s := range starter.Senders() {
		if strings.Contains(s.Settings, "preset: "+s.Name+"\n") {
			got = append(got, s.Name)
		}
	}
	if want := webhook.Presets(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestEverySenderGoesWithEveryCRM makes the files of all pairs, and of one
// sender with all CRMs. That they can be read is tested by crmsyncd init.
func TestEverySenderGoesWithEveryCRM(t *testing.T) {
	t.Parallel()
	var all []string
	for _, c := range starter.CRMs() {
		all = append(all, c.Name)
	}
	for _, s := range starter.Senders() {
		choices := [][]string{all}
		for _, c := range all {
			choices = append(choices, []string{c})
		}
		for _, crms := range choices {
			texts, err := starter.Make(starter.Choice{Sender: s.Name, CRMs: crms})
			if err != nil {
				t.Fatalf("%s, %v: %v", s.Name, crms, err)
			}
			for _, name := range starter.Names {
				text := texts[name]
				first, _, _ := strings.Cut(text, "\n")
				if want := "# yaml-language-server: $schema=./" + strings.TrimSuffix(name, filepath.Ext(name)) + ".schema.json"; first != want {
					t.Errorf("%s, %v: %s begins with %q, want %q", s.Name, crms, name, first, want)
				}
				if strings.Contains(text, "<no value>") || strings.Contains(text, "\n\n\n") || !strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\n\n") || regexp.MustCompile(`(?m)[ \t]$`).MatchString(text) {
					t.Errorf("%s, %v: %s is untidy:\n%s", s.Name, crms, name, text)
				}
			}
		}
	}
}

func TestSecretsAreThoseOfTheSettings(t *testing.T) {
	t.Parallel()
	choice := starter.Choice{Sender: "respondio", CRMs: []string{"salesforce", "webhook"}}
	texts, err := starter.Make(choice)
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, s := range starter.Secrets(choice) {
		named = append(named, s.Env)
	}
	var used []string
	for _, m := range regexp.MustCompile(`\$\{([A-Z_]+)\}`).FindAllStringSubmatch(texts[starter.Config], -1) {
		used = append(used, m[1])
	}
	if !slices.Equal(named, used) {
		t.Errorf("named are %v, used %v", named, used)
	}
}

func TestWhatIsNotKnownIsRefusedWithWhatIs(t *testing.T) {
	t.Parallel()
	for _, c := range []starter.Choice{{Sender: "teli", CRMs: []string{"hubspot"}}, {Sender: "telli", CRMs: []string{"hubspott"}}, {Sender: "telli"}} {
		if _, err := starter.Make(c); err == nil || !strings.Contains(err.Error(), "there are: ") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

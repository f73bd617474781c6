package docs_test

import (
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/cases"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/mapping"
)

var (
	rulesKey    = regexp.MustCompile(`(?m)^rules:`)
	versionKey  = regexp.MustCompile(`(?m)^version:`)
	settingsKey = regexp.MustCompile(`(?m)^(listen|admin|data_dir|mapping|sources|connectors|defaults|delivery|retention|privacy|reconcile|limits|log|trusted_proxies|tls|admin_access|tracing|ledger):`)
)

// TestExamples reads every example in YAML as the daemon would.
func TestExamples(t *testing.T) {
	t.Parallel()
	read := 0
	for _, path := range documents(t) {
		for _, f := range fences(text(t, path)) {
			if f.language != "yaml" {
				continue
			}
			read++
			name := fmt.Sprintf("%s:%d", filepath.Base(path), f.line)
			var problems diag.Problems
			switch {
			case strings.HasPrefix(f.text, "cases:"):
				_, problems = cases.Read(name, []byte(f.text), cases.Options{Sources: []string{"telli"}, Connectors: []string{"hubspot"}})
			case rulesKey.MatchString(f.text):
				problems = readRules(name, f.text)
			case strings.HasPrefix(f.text, "- object:"):
				problems = readRules(name, "rules:\n  - on: call.ended\n    to: crm\n    records:\n"+indented(f.text, 6))
			case strings.HasPrefix(f.text, "fields:"):
				problems = readRules(name, "rules:\n  - on: call.ended\n    to: crm\n    records:\n      - object: contacts\n        match: an_id\n"+indented(strings.Replace(f.text, "fields:\n", "fields:\n  an_id: =contact.id\n", 1), 8))
			case settingsKey.MatchString(f.text):
				problems = readSettings(name, f.text)
			default:
				t.Errorf("%s: this is neither rules nor settings", name)
			}
			for _, p := range problems {
				t.Error(p.Error())
			}
		}
	}
	if read < 10 {
		t.Errorf("only %d examples were found", read)
	}
}

func indented(s string, n int) string {
	pad := strings.Repeat(" ", n)
	return pad + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n"+pad) + "\n"
}

func readRules(name, rules string) diag.Problems {
	if !versionKey.MatchString(rules) {
		rules = "version: 1\n" + rules
	}
	_, problems := mapping.Read([]mapping.File{{Name: name, Text: []byte(rules)}}, mapping.Options{Country: "DE", Zone: time.UTC})
	return problems
}

// readSettings reads settings and the vendors' blocks in them; secrets need
// not be there.
func readSettings(name, settings string) diag.Problems {
	s, problems := config.Read(name, []byte(settings), config.Env{Offline: true})
	if s == nil {
		return problems
	}
	for i, blocks := range [][]config.Block{s.Sources, s.Connectors} {
		types := []map[string]any{app.SourceTypes(), app.ConnectorTypes()}[i]
		for _, b := range blocks {
			vendor, ok := types[b.Type]
			if !ok {
				problems = append(problems, b.Node.Problem("unknown type "+b.Type, ""))
				continue
			}
			problems = append(problems, b.Decode(reflect.New(reflect.TypeOf(vendor)).Interface())...)
		}
	}
	return problems
}

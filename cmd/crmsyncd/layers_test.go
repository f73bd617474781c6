package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/crmsyncd/crmsyncd/"

// layers says which packages of ours a package may import; a trailing /* is
// every package below. docs/architecture.md shows the same table.
var layers = map[string][]string{
	"event":              {},
	"internal/diag":      {},
	"internal/sandbox":   {},
	"internal/httpx":     {"internal/trace"},
	"internal/sd":        {},
	"internal/oauth":     {"connectors", "event", "config", "internal/httpx"},
	"examples":           {},
	"sources":            {"event"},
	"connectors":         {"event", "internal/trace"},
	"store":              {"event"},
	"config":             {"internal/diag"},
	"mapping":            {"event", "connectors", "internal/diag"},
	"sources/*":          {"sources", "event", "config", "internal/diag", "internal/httpx"},
	"connectors/*":       {"connectors", "event", "config", "internal/httpx", "internal/oauth"},
	"store/*":            {"store", "event"},
	"internal/trace":     {"event"},
	"internal/trace/*":   {},
	"internal/receiver":  {"sources", "store", "event", "internal/trace"},
	"internal/deliver":   {"sources", "connectors", "store", "event", "mapping", "internal/trace"},
	"internal/reconcile": {"sources", "connectors", "store", "event", "mapping"},
	"internal/starter":   {},
	"internal/sbom":      {},
	"internal/certs":     {},
	"internal/doctor":    {},
	"internal/cases":     {"connectors", "event", "mapping", "internal/diag"},
	"internal/contrast":  {"connectors", "event", "mapping"},
	"internal/live":      {"connectors", "event", "mapping", "internal/diag"},
	"internal/admin":     {"sources", "connectors", "store", "event", "mapping"},
	"internal/web":       {"store", "event", "mapping", "internal/admin", "internal/doctor"},

	"internal/crashpoint": {},
	"internal/caught":     {},
}

// everywhere may be imported by all: the one is empty in what ships, the other
// tells of panics, which can be anywhere.
var everywhere = []string{"internal/crashpoint", "internal/caught"}

// suites may import the thing that they test against beside their contract.
var suites = map[string][]string{
	"connectors/connectortest": {"internal/sandbox", "internal/trace"},
}

// anything is the wiring, which may import everything.
var anything = []string{"internal/app", "cmd/crmsyncd"}

// TestLayers/reads the imports with go/parser: go list's answer would come
// out of the test cache.
func TestLayers(t *testing.T) {
	t.Parallel()
	root := os.DirFS("../..")
	seen := map[string]bool{}
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (strings.HasPrefix(d.Name(), ".") && p != "." || d.Name() == "testdata" || p == "internal/tools") {
			if d != nil && d.IsDir() && err == nil {
				return fs.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		pkg := path.Dir(p)
		seen[pkg] = true
		text, err := fs.ReadFile(root, p)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			to, ours := strings.CutPrefix(strings.Trim(imp.Path.Value, `"`), module)
			if ours && !allowed(pkg, to) {
				t.Errorf("%s imports %s, which the table of layers does not allow", p, to)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, must := range []string{"event", "mapping", "store/bolt", "connectors/hubspot", "internal/sandbox", "cmd/crmsyncd"} {
		if !seen[must] {
			t.Errorf("%s was not read; saw %v", must, slices.Sorted(maps.Keys(seen)))
		}
	}
	for pkg := range seen {
		for _, bad := range []string{"util", "common", "types", "helpers", "manager"} {
			if path.Base(pkg) == bad {
				t.Errorf("%s: no package may be called %s", pkg, bad)
			}
		}
	}
}

func allowed(pkg, to string) bool {
	if slices.Contains(anything, pkg) || slices.Contains(everywhere, to) {
		return true
	}
	may, known := layers[pkg]
	if !known {
		may, known = layers[path.Dir(pkg)+"/*"]
	}
	if !known {
		return false
	}
	return slices.Contains(may, to) || slices.Contains(suites[pkg], to)
}

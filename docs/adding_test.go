package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	inlineCode = regexp.MustCompile("`([^`]+)`")
	repoPath   = regexp.MustCompile(`^(cmd|config|connectors|docs|event|examples|internal|mapping|sources|store)(/[A-Za-z0-9_.-]+)+$`)
	goName     = regexp.MustCompile(`^(config|connectors|connectortest|event|httpx|sandbox|sources|sourcetest)\.([A-Z][A-Za-z0-9]*)$`)
	houseFile  = regexp.MustCompile("(?m)^\\| `([a-z_]+\\.go)` \\|")
)

// packageFolders are where the packages lie that goName knows.
var packageFolders = map[string]string{
	"config": "config", "connectors": "connectors", "connectortest": "connectors/connectortest", "event": "event", "httpx": "internal/httpx",
	"sandbox": "internal/sandbox", "sources": "sources", "sourcetest": "sources/sourcetest",
}

// TestGuides/what the guides for programmers name is there: files, folders,
// functions, and the files of the house that is to be read first.
func TestGuides(t *testing.T) {
	t.Parallel()
	for guide, model := range map[string]string{"adding-a-connector.md": "connectors/airtable", "adding-a-source.md": "sources/telli"} {
		t.Run(guide, func(t *testing.T) {
			t.Parallel()
			document := text(t, guide)
			names := 0
			for _, m := range inlineCode.FindAllStringSubmatch(document, -1) {
				switch code := m[1]; {
				case strings.Contains(code, "NAME"):
				case repoPath.MatchString(code):
					names++
					if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(code))); err != nil {
						t.Errorf("it names %s, which is not there", code)
					}
				case goName.MatchString(code):
					names++
					parts := goName.FindStringSubmatch(code)
					if folder := packageFolders[parts[1]]; !declares(t, folder, parts[2]) {
						t.Errorf("it names %s, which %s does not declare", code, folder)
					}
				}
			}
			if names < 8 {
				t.Errorf("it names only %d files and functions; is it read right?", names)
			}
			for _, m := range houseFile.FindAllStringSubmatch(document, -1) {
				if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(model), m[1])); err != nil {
					t.Errorf("%s, which is to be read first, has no %s", model, m[1])
				}
			}
		})
	}
}

// declares tells whether the files of a folder declare a name.
func declares(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(folder), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == name {
					return true
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						if s.Name.Name == name {
							return true
						}
					case *ast.ValueSpec:
						for _, n := range s.Names {
							if n.Name == name {
								return true
							}
						}
					}
				}
			}
		}
	}
	return false
}

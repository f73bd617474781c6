package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/doctor"
)

// ailment is what really goes wrong, for the doctor to find.
type ailment struct {
	name  string
	shows []string // the ids of findings that it must have
	play  func(t *testing.T, s *stage)
}

// stage is where one is brought about.
type stage struct {
	t    *testing.T
	seen map[string]doctor.Finding
}

// saw takes what the doctor found; all of it must say how to mend what is not ok.
func (s *stage) saw(findings ...doctor.Finding) {
	s.t.Helper()
	for _, f := range findings {
		if (f.State == doctor.OK) != (f.Mend == "") {
			s.t.Errorf("%+v: want a mend where it is not ok, and only there", f)
		}
		if f.ID == "" || f.About == "" || f.What == "" {
			s.t.Errorf("%+v lacks an id, a subject or words", f)
		}
		s.seen[f.ID] = f
	}
}

// has wants a finding among those of one examination, with a text in what it
// says or in how to mend it.
func (s *stage) has(findings []doctor.Finding, id, text string) {
	s.t.Helper()
	s.saw(findings...)
	for _, f := range findings {
		if f.ID == id && strings.Contains(f.About+": "+f.What+" -> "+f.Mend, text) {
			return
		}
	}
	s.t.Errorf("there is no %s with %q in %+v", id, text, findings)
}

// comes looks until a finding is there, for what is away for moments, and gives
// all that was found with it.
func (s *stage) comes(look func() []doctor.Finding, id string) (found []doctor.Finding) {
	s.t.Helper()
	if err := poll(func() error {
		if found = look(); !slices.ContainsFunc(found, func(f doctor.Finding) bool { return f.ID == id }) {
			return fmt.Errorf("there is no %s in %+v", id, found)
		}
		return nil
	}); err != nil {
		s.t.Error(err)
	}
	return found
}

// TestEveryFindingOfTheDoctor brings each of them about: one that no ailment
// shows, or that is nowhere any more, fails.
func TestEveryFindingOfTheDoctor(t *testing.T) {
	t.Parallel()
	ailments := slices.Concat(machineAilments, networkAilments, daemonAilments, outsideAilments)
	shown := map[string]bool{}
	for _, c := range ailments {
		for _, id := range c.shows {
			shown[id] = true
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &stage{t, map[string]doctor.Finding{}}
			c.play(t, s)
			for _, id := range c.shows {
				if _, ok := s.seen[id]; !ok {
					t.Errorf("%s was not found; found were %q", id, slices.Sorted(maps.Keys(s.seen)))
				}
			}
		})
	}
	known := findingsInSource(t)
	for id, at := range known {
		if !shown[id] {
			t.Errorf("%s: no ailment brings %q about", at, id)
		}
	}
	for id := range shown {
		if known[id] == "" {
			t.Errorf("an ailment shows %q, which the doctor does not find", id)
		}
	}
}

// findingsInSource reads the ids of all findings, with a place of each.
func findingsInSource(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{"../../internal/doctor/*.go", "doctor*.go"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") || filepath.Base(path) == "doctor.go" && pattern != "doctor*.go" {
				continue
			}
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || !slices.Contains([]string{"Fine", "Doubt", "Bad"}, calledName(call.Fun)) {
					return true
				}
				at := files.Position(call.Pos()).String()
				id, ok := call.Args[0].(*ast.BasicLit)
				if !ok {
					t.Errorf("%s: the id of a finding is to stand here as a word", at)
					return true
				}
				word, err := strconv.Unquote(id.Value)
				if err != nil {
					t.Fatal(err)
				}
				found[word] = at
				return true
			})
		}
	}
	if len(found) < 50 {
		t.Fatalf("only %d findings were read: does this test read them still?", len(found))
	}
	return found
}

func calledName(f ast.Expr) string {
	switch f := f.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// examined has the doctor look, in a process of its own where with is a command
// that is to run it.
func examined(t *testing.T, dir string, with ...string) []doctor.Finding {
	t.Helper()
	p := &process{t: t, dir: dir}
	cmd := p.command("doctor", "--json", "--offline")
	if len(with) > 0 {
		path, err := exec.LookPath(with[0])
		if err != nil {
			t.Skipf("there is no %s", with[0])
		}
		cmd.Path, cmd.Args = path, append(slices.Clone(with), cmd.Args...)
	}
	var said strings.Builder
	cmd.Stderr = &said
	out, _ := cmd.Output() // it exits 3 where something does not work
	var findings []doctor.Finding
	if err := json.Unmarshal(out, &findings); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, said.String())
	}
	return findings
}

// settle writes settings, and rules that want nothing.
func settle(t *testing.T, dir, settings string) {
	t.Helper()
	for name, text := range map[string]string{"config.yaml": settings, "mapping.yaml": "version: 1\nrules: []\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// plainSettings are of a daemon without a CRM.
func plainSettings(more string) string {
	return fmt.Sprintf("listen: 127.0.0.1:0\nadmin: unix:./admin.sock\ndata_dir: ./data\nmapping: mapping.yaml\nsources:\n  telli: {type: telli, signing_secret: %q}\n%s", testSecret, more)
}

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// quickPoints are those of every go test: one of each kind.
var quickPoints = []string{"receive.kept:2", "commit.unsynced:5", "request.sent:4", "copy.renamed:1"}

// crashScenes are what has to happen for the points whose names begin so to be
// reached, and at which times of coming there the daemon dies.
var crashScenes = map[string]struct {
	play  func(*crashed)
	times []int
}{
	"receive":  {(*crashed).traffic, []int{1, 2, 5}},
	"commit":   {(*crashed).traffic, []int{1, 2, 5, 17}},
	"plan":     {(*crashed).traffic, []int{1, 2, 5}},
	"find":     {(*crashed).traffic, []int{1, 2, 5}},
	"intent":   {(*crashed).traffic, []int{1, 2, 5}},
	"write":    {(*crashed).traffic, []int{1, 2, 5}},
	"request":  {(*crashed).traffic, []int{1, 2, 5, 11, 23}}, // also in the middle of a batch
	"wave":     {(*crashed).traffic, []int{1, 2, 5}},
	"settle":   {(*crashed).traffic, []int{1, 2, 5}},
	"compact":  {(*crashed).compaction, []int{1}},
	"erase":    {(*crashed).erasure, []int{1}},
	"backfill": {(*crashed).backfill, []int{1}},
	"sweep":    {(*crashed).sweep, []int{1}},
	"oauth":    {(*crashed).renewal, []int{1}},
	"create":   {(*crashed).creation, []int{1}},
	"copy":     {(*crashed).uncleanStart, []int{1}},
	"backup":   {(*crashed).backup, []int{1}},
	"restore":  {(*crashed).restore, []int{1}},
	"upgrade":  {(*crashed).upgrade, []int{1}},
	"expire":   {(*crashed).expiry, []int{1}},
}

// TestCrashPoints has a daemon that was built for it kill itself at the points
// that the source names, the second and the fifth time as well, while webhooks come in
// and go to all five connectors. After a restart everything acknowledged must
// be in every CRM once and in order, and every record of the ledger sound.
// With CRASHPOINTS=all these are all points; a list such as commit.synced:3
// names some; else they are a few.
func TestCrashPoints(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds the daemon")
	}
	named := namedPoints(t)
	var runs []string
	switch which := os.Getenv("CRASHPOINTS"); which {
	case "":
		runs = quickPoints
	case "all":
		for _, point := range named {
			kind, _, _ := strings.Cut(point, ".")
			for _, n := range crashScenes[kind].times {
				runs = append(runs, fmt.Sprintf("%s:%d", point, n))
			}
		}
	default:
		runs = strings.Fields(strings.ReplaceAll(which, ",", " "))
	}
	bin := buildForCrashes(t)
	var mu sync.Mutex
	reached := map[string]int{}
	var total tally
	t.Run("at", func(t *testing.T) {
		for _, run := range runs {
			t.Run(run, func(t *testing.T) {
				t.Parallel()
				point, n, _ := strings.Cut(run, ":")
				nth, err := strconv.Atoi(n)
				if err != nil || !slices.Contains(named, point) {
					t.Fatalf("%s is no point of the source with a number", run)
				}
				c := newCrashed(t, bin, run)
				kind, _, _ := strings.Cut(point, ".")
				crashScenes[kind].play(c)
				mu.Lock()
				defer mu.Unlock()
				total.events += c.got.events
				total.losses += c.got.losses
				total.duplicates += c.got.duplicates
				total.disorders += c.got.disorders
				if c.hit {
					reached[point]++
				} else if nth == 1 {
					t.Errorf("%s was never reached", point)
				}
			})
		}
	})
	t.Logf("%d of %d points, %d crashes in %d tries, %d events: %v", len(reached), len(named), sum(reached), len(runs), total.events, total)
}

func sum(counts map[string]int) (n int) {
	for c := range maps.Values(counts) {
		n += c
	}
	return n
}

// buildForCrashes builds the daemon with its crash points.
func buildForCrashes(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "crmsyncd")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-tags", "crashpoints", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// namedPoints reads from the source which points there are, and makes sure that
// each has a scene and one place.
func namedPoints(t *testing.T) []string {
	t.Helper()
	var names []string
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (strings.HasPrefix(d.Name(), ".") && p != "." || d.Name() == "testdata") {
			if d != nil && d.IsDir() && err == nil {
				return fs.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(root, p)
		if err != nil || !strings.Contains(string(text), "crashpoint") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, text, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if point, ok := pointIn(n, f.Name.Name); ok {
				if slices.Contains(names, point) {
					t.Errorf("%s: the point %s is named twice", p, point)
				}
				names = append(names, point)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, n := range names {
		kind, _, ok := strings.Cut(n, ".")
		if _, known := crashScenes[kind]; !ok || !known {
			t.Errorf("nothing in crashScenes leads to the point %s", n)
		}
		used[kind] = true
	}
	for kind := range crashScenes {
		if !used[kind] {
			t.Errorf("no point's name begins with %s. any more", kind)
		}
	}
	slices.Sort(names)
	return names
}

// pointIn is the name in a call of crashpoint.At, or of At in its own package.
func pointIn(n ast.Node, pkg string) (string, bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return "", false
	}
	switch fun := call.Fun.(type) {
	case *ast.SelectorExpr:
		if x, ok := fun.X.(*ast.Ident); !ok || x.Name != "crashpoint" || fun.Sel.Name != "At" {
			return "", false
		}
	case *ast.Ident:
		if pkg != "crashpoint" || fun.Name != "At" {
			return "", false
		}
	default:
		return "", false
	}
	lit, ok := call.Args[0].(*ast.BasicLit)
	if !ok {
		return "", false
	}
	name, err := strconv.Unquote(lit.Value)
	return name, err == nil
}

// TestCrashPointsAreNotInWhatShips/the binary without the tag knows no point.
func TestCrashPointsAreNotInWhatShips(t *testing.T) {
	t.Parallel()
	self, err := os.Executable() // built without the tag, as what ships is
	if err != nil {
		t.Fatal(err)
	}
	p := process{t: t, dir: t.TempDir(), bin: self, env: []string{"CRASHPOINT=create.written"}}
	if err := writeConfig(p.dir, "127.0.0.1:0", "unix:./admin.sock", "http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	p.start()
	if _, err := readyAt("unix:" + filepath.Join(p.dir, "admin.sock")); err != nil {
		t.Errorf("%v\n%s", err, p.err.String())
	}
	if err := p.end(os.Interrupt); err != nil {
		t.Errorf("ended with %v:\n%s", err, p.err.String())
	}
}

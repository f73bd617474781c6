package docs_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	testFunc   = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	testName   = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)\\w+)(?:/([^`]+))?`")
	makeName   = regexp.MustCompile("`make ([a-z-]+)[^`]*`")
	makeTarget = regexp.MustCompile(`(?m)^([a-z-]+):`)
)

// TestReliability/every row of reliability.md names what shows it, and that is
// there: tests, their parts, points of crashes and targets of make. Every fault
// that was thought of has its row.
func TestReliability(t *testing.T) {
	t.Parallel()
	document := text(t, "reliability.md")
	have := readTests(t)
	for _, m := range testName.FindAllStringSubmatch(document, -1) {
		if missing := have.lacks(m[1], m[2]); missing != "" {
			t.Errorf("it names %s, but %s", strings.Trim(m[0], "`"), missing)
		}
	}

	var targets []string
	for _, m := range makeTarget.FindAllStringSubmatch(text(t, "../Makefile"), -1) {
		targets = append(targets, m[1])
	}
	for _, m := range makeName.FindAllStringSubmatch(document, -1) {
		if !slices.Contains(targets, m[1]) {
			t.Errorf("it names make %s, which the Makefile has not", m[1])
		}
	}

	rows := map[string]int{}
	for line := range strings.Lines(document) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 4 || strings.HasPrefix(line, "| --- ") || strings.HasSuffix(line, "| shown by |\n") {
			continue
		}
		rows[strings.TrimPrefix(cells[0], "| ")]++
		if by := cells[3]; !testName.MatchString(by) && !makeName.MatchString(by) && !strings.Contains(by, "not tried") {
			t.Errorf("nothing shows this, and it does not say so: %s", line)
		}
	}
	for _, kind := range []struct {
		letter      string
		first, last int
	}{{"F", 1, 53}, {"W", 0, 9}} {
		for n := kind.first; n <= kind.last; n++ {
			if id := fmt.Sprint(kind.letter, n); rows[id] == 0 {
				t.Errorf("%s has no row; there are %v", id, slices.Sorted(maps.Keys(rows)))
			}
		}
	}
}

// tests are those of the source.
type tests struct {
	files  map[string][]string // texts of the files that declare a test
	suites string              // texts of the suites that all of a kind run
	points string              // texts of the files that name points of crashes
}

func readTests(t *testing.T) tests {
	t.Helper()
	have := tests{files: map[string][]string{}}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "bin" || d.Name() == "dist" || d.Name() == ".git"):
			return filepath.SkipDir
		case filepath.Ext(path) != ".go":
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		source := string(b)
		if strings.HasSuffix(path, "_test.go") {
			for _, m := range testFunc.FindAllStringSubmatch(source, -1) {
				have.files[m[1]] = append(have.files[m[1]], source)
			}
		} else if strings.HasSuffix(filepath.Dir(path), "test") {
			have.suites += source
		}
		if strings.Contains(source, "crashpoint") {
			have.points += source
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return have
}

// lacks tells what is missing of a test, or of a part of it; nothing is "".
func (have tests) lacks(name, part string) string {
	files := strings.Join(have.files[name], "\n")
	switch {
	case files == "":
		return "no such test is there"
	case part == "":
		return ""
	case name == "TestScripts":
		if _, err := os.Stat(filepath.Join("..", "cmd", "crmsyncd", "testdata", "script", part+".txtar")); err != nil {
			return "no such script is there"
		}
		return ""
	case name == "TestCrashPoints":
		if !strings.Contains(have.points, `At("`+part+`")`) {
			return "no such point is in the source"
		}
		return ""
	case strings.Contains(files, `"`+part) || strings.Contains(have.suites, `"`+part):
		return ""
	}
	return "no part of it begins with these words"
}

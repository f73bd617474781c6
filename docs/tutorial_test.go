package docs_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// binary builds crmsyncd once for all tests, and returns the folder it is in.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "crmsyncd-docs-")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "crmsyncd"), "../cmd/crmsyncd").CombinedOutput()
	if err != nil {
		os.Stderr.Write(out)
	}
	return dir, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := binary(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// environment is that of a person who has nothing but crmsyncd.
func environment(t *testing.T, home string, more ...string) []string {
	t.Helper()
	dir, err := binary()
	if err != nil {
		t.Fatalf("build crmsyncd: %v", err)
	}
	return append([]string{"PATH=" + dir + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "NO_COLOR=1", "LC_ALL=C.UTF-8"}, more...)
}

const separator = "@@@ end of step"

// TestTutorial does what mapping.md says, in a folder of its own, and compares
// what is printed with what stands there.
func TestTutorial(t *testing.T) {
	const path = "mapping.md"
	old := text(t, path)
	dir, days := t.TempDir(), daysSince(t)
	var script strings.Builder
	var outputs []fence
	for _, f := range fences(old) {
		name, isFile := strings.CutPrefix(f.mark, "file: ")
		switch {
		case isFile:
			if err := os.WriteFile(filepath.Join(dir, name), []byte(shiftPayload(f.text, days)), 0o600); err != nil {
				t.Fatal(err)
			}
		case f.language == "sh":
			script.WriteString(f.text + "echo '" + separator + "'\n")
		case f.mark == "output":
			outputs = append(outputs, f)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script.String())
	cmd.Dir, cmd.Env = dir, environment(t, dir)
	got, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	steps := strings.Split(string(got), separator+"\n")
	if len(steps)-1 != len(outputs) || len(outputs) < 4 {
		t.Fatalf("%d steps gave %d outputs:\n%s", len(outputs), len(steps)-1, got)
	}
	now := old
	for i, f := range outputs {
		want := shiftTimes(strings.TrimSuffix(steps[i], "\n"), -days) + "\n"
		if f.text == want {
			continue
		}
		if !*update {
			t.Errorf("%s:%d: crmsyncd prints\n%s\nbut there stands\n%s\nrun go test ./docs -update", path, f.line, want, f.text)
			continue
		}
		before, after, _ := cutAtLine(now, f.line+strings.Count(now, "\n")-strings.Count(old, "\n"))
		now = before + want + strings.TrimPrefix(after, f.text)
	}
	if now != old {
		if err := os.WriteFile(path, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// cutAtLine cuts after a line, counted from 1.
func cutAtLine(s string, line int) (before, after string, ok bool) {
	at := 0
	for range line {
		i := strings.IndexByte(s[at:], '\n')
		if i < 0 {
			return s, "", false
		}
		at += i + 1
	}
	return s[:at], s[at:], true
}

// daysSince is how many days ago the payload of the tutorial is, yesterday
// being 0. Events of long ago are refused, so the test shifts the payload.
func daysSince(t *testing.T) int {
	t.Helper()
	day := time.Date(2026, 11, 20, 9, 30, 12, 0, time.UTC)
	return int(time.Since(day).Hours()/24) - 1
}

var (
	milliseconds = regexp.MustCompile(`\b1[0-9]{12}\b`)
	isoDate      = regexp.MustCompile(`\b20[0-9]{2}-[0-9]{2}-[0-9]{2}T`)
)

func shiftPayload(s string, days int) string {
	return milliseconds.ReplaceAllStringFunc(s, func(n string) string {
		ms, _ := strconv.ParseInt(n, 10, 64)
		return strconv.FormatInt(ms+int64(days)*24*60*60*1000, 10)
	})
}

func shiftTimes(s string, days int) string {
	return isoDate.ReplaceAllStringFunc(s, func(d string) string {
		at, err := time.Parse("2006-01-02T", d)
		if err != nil {
			return d
		}
		return at.AddDate(0, 0, days).Format("2006-01-02T")
	})
}

// Package docs_test keeps the documents true: tables are made from the code,
// every example in YAML is read by the reader that users have, every link leads
// somewhere, and the commands of the README and of the tutorial are run.
//
// go test ./docs -update writes tables and outputs anew.
package docs_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var update = flag.Bool("update", false, "write tables and outputs in the documents anew")

const readme = "../README.md"

// documents names every document, relative to this folder.
func documents(t *testing.T) []string {
	t.Helper()
	found := []string{readme}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 6 {
		t.Fatalf("only %v were found", found)
	}
	return found
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fence is a fenced block of a document.
type fence struct {
	language string
	text     string
	line     int    // of the opening fence, from 1
	mark     string // the comment on the line above it, without <!-- -->
}

var comment = regexp.MustCompile(`^<!-- (.*) -->$`)

func fences(document string) []fence {
	var out []fence
	var open *fence
	before := ""
	for i, line := range strings.Split(document, "\n") {
		language, isFence := strings.CutPrefix(line, "```")
		switch {
		case !isFence && open != nil:
			open.text += line + "\n"
		case !isFence:
			before = line
		case open == nil:
			open = &fence{language: language, line: i + 1}
			if m := comment.FindStringSubmatch(before); m != nil {
				open.mark = m[1]
			}
		default:
			out = append(out, *open)
			open, before = nil, ""
		}
	}
	return out
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+)$`)
)

func TestLinks(t *testing.T) {
	t.Parallel()
	for _, path := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(withoutFences(text(t, path)), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			to := path
			if target != "" {
				to = filepath.Join(filepath.Dir(path), filepath.FromSlash(target))
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s, which is not there", path, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(text(t, to)), anchor) {
				t.Errorf("%s links to %s, but %s has no such heading; it has %v", path, m[1], to, anchors(text(t, to)))
			}
		}
	}
}

func withoutFences(document string) string {
	for _, f := range fences(document) {
		document = strings.Replace(document, f.text, "", 1)
	}
	return document
}

// anchors are the names by which headings are linked to, as code hosts make them.
func anchors(document string) []string {
	var out []string
	for _, m := range heading.FindAllStringSubmatch(withoutFences(document), -1) {
		out = append(out, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, m[1]))
	}
	return out
}

package diag

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// short gives problems as line:column message (hint), one a line.
func short(ps Problems) string {
	var b strings.Builder
	for _, p := range ps {
		fmt.Fprintf(&b, "%d:%d %s", p.Pos.Line, p.Pos.Column, p.Message)
		if p.Hint != "" {
			fmt.Fprintf(&b, " (%s)", p.Hint)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestReadYAMLRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"a second document", "a: 1\n---\nb: 2\n", "2:1 a second document begins here (keep one document a file: take out the line ---)\n"},
		{"a duplicate key", "a: 1\nb:\n  c: 1\n  c: 2\n", "4:3 the key \"c\" stands here a second time; the first is in line 3 (keep one of the two)\n"},
		{"aliases and anchors", "a: &x 1\nb: *x\n", "1:4 anchors (&x) are not supported (write the value out, or put it into a table)\n2:4 aliases (*x) are not supported (write the value out, or put it into a table)\n"},
		{"merge keys", "b:\n  <<: {c: 1}\n", "2:3 merge keys (<<) are not supported (write the keys out)\n"},
		{"a list as a key", "? [a]\n: 1\n", "1:3 a key must be plain text (quote text that begins with { or [)\n"},
		{"an unquoted text that begins with {{", "a: {{ x }}\n", "1:5 a key must be plain text (a text that begins with {{ must be in quotes)\n"},
		{"brackets that nothing closes", strings.Repeat("[", 40) + "\n", "1:1 a list or braces that YAML cannot read (close each [ with ], each { with }, and put text that begins with them in quotes)\n"},
		{"invalid UTF-8", "a: 1\nb: \xff\n", "2:1 the line is not valid UTF-8 (save the file as UTF-8)\n"},
		{"deep nesting", "a: " + strings.Repeat("[", 70) + strings.Repeat("]", 70), "1:68 nested deeper than 64 levels\n"},
		{"a tab within text over several lines", "a: b\n\tc\n", "2:1 a tab at the beginning of the line (indent with blanks; YAML does not allow tabs)\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, ps := ReadYAML("f.yaml", []byte(c.text))
			if got := short(ps); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
	if _, ps := ReadYAML("f.yaml", make([]byte, maxYAML+1)); len(ps) != 1 || !strings.Contains(ps[0].Message, "the most") {
		t.Errorf("a file over the limit: got %v", ps)
	}
}

func TestReadYAMLKeepsWhatTheFileSays(t *testing.T) {
	t.Parallel()
	n, ps := ReadYAML("f.yaml", []byte("\xef\xbb\xbfa: 0123\r\nb: no\r\nc: '12:30'\r\nd: |\r\n  x\r\n  y\r\ne:\r\nf: ~\r\n"))
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	for key, want := range map[string]string{"a": "0123", "b": "no", "c": "12:30", "d": "x\ny\n", "e": "", "f": "~"} {
		if got := n.Get(key).Value; got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	if !n.Get("c").Quoted || !n.Get("d").Block || !n.Get("e").Null || !n.Get("f").Null || n.Get("a").Quoted {
		t.Error("quotes, blocks or nulls are not told apart")
	}
	if n, ps := ReadYAML("f.yaml", nil); n == nil || n.Shape != Mapping || len(ps) > 0 {
		t.Errorf("an empty file: got %v, %v", n, ps)
	}
}

func TestBrokenLinesAreMendedSoThatAllIsShown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"a quote that is not closed", "a: \"x\nb: 'y\nc: 1\nc: 2\n", "1:4 a quote is not closed (add the closing \")\n2:4 a quote is not closed (add the closing ')\n4:1 the key \"c\" stands here a second time; the first is in line 3 (keep one of the two)\n"},
		{"a quote that is not closed within braces", "a: {value: '=x, if: empty}\nb: 1\n", "1:12 a quote is not closed (add the closing ')\n"},
		{"a colon within a value", "a: b: c\nb: d ? e : f\n", "1:5 a colon and a blank (: ) stand inside an unquoted value (put the whole value in quotes)\n2:10 a colon and a blank (: ) stand inside an unquoted value (put the whole value in quotes)\n"},
		{"tabs", "a:\n\tb: 1\n\tc: 2\nd:\n  - e: 1\n\t  f: 2\n", "2:1 a tab at the beginning of the line (indent with blanks; YAML does not allow tabs)\n3:1 a tab at the beginning of the line (indent with blanks; YAML does not allow tabs)\n6:1 a tab at the beginning of the line (indent with blanks; YAML does not allow tabs)\n"},
		{"wrong indentation", "a:\n  b: 1\n   c: 2\n d: 3\n", "3:4 the line is not indented like its neighbours (indent all keys of a block alike; here by 2 blanks)\n4:2 the line is not indented like its neighbours (indent all keys of a block alike; here by 2 blanks)\n"},
		{"no blank after the colon", "a:1\nb: 2\n", "1:2 a blank is missing after the colon (write key: value)\n"},
		{"no colon", "a:\n  b 1\n  c: 2\n", "2:3 the key has no colon (write key: value)\n"},
		{"signs that YAML keeps", "a: @x\nb: %y\nc: `z`\nd: *nobody\n", "1:4 the value begins with a character that YAML keeps for itself (put the value in quotes)\n2:4 the value begins with a character that YAML keeps for itself (put the value in quotes)\n3:4 the value begins with a character that YAML keeps for itself (put the value in quotes)\n4:4 aliases (*) are not supported (put a text that begins with * in quotes)\n"},
		{"text behind a quote", "a: 'x' y\n", "1:7 text follows the closing quote (put the whole value in quotes of the other kind)\n"},
		{"several formulas in braces", "a: {{ x }} {{ y }}\n", "1:4 a text that begins with {{ must be in quotes (put the whole value in quotes)\n"},
		{"a list that is not closed goes on over lines that are", "a: [\n  1,\n  2,\n]\nb: [x\nc: 1\n", "5:4 a list is not closed (add the closing ])\n"},
		{"quotes within quotes of the same kind", "a: \"x \" \" y\"\nb: 2\n", "1:7 this quote ends the value, and more follows (put the whole value in the other quotes: '…', with \"…\" within)\n"},
		{"options that are not closed", "a: {value: 1, if: empty\nb: 2\n", "1:4 braces are not closed (add the closing })\n"},
		{"blanks of a web page before a key", "a:\n  b: 1\n\u00a0 c: 2\n  d: 3\n", "3:1 a blank of another kind at the beginning of the line, as web pages and word processors have them (type the blanks anew)\n"},
		{"the star of a table without quotes", "t:\n  a: 1\n  *: 2\nb: 3\n", "3:3 * must be in quotes (write \"*\":)\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n, ps := ReadYAML("f.yaml", []byte(c.text))
			if got := short(ps); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
			if n == nil {
				t.Error("nothing was read")
			}
		})
	}
}

func TestMendingIsBounded(t *testing.T) {
	t.Parallel()
	began := time.Now()
	_, ps := ReadYAML("f.yaml", []byte(strings.Repeat("a: b: c\n", 20_000)))
	if took := time.Since(began); took > time.Minute {
		t.Errorf("took %v", took)
	}
	if !ps.Has(Error) || len(ps) > maxMends+2 {
		t.Errorf("got %d problems", len(ps))
	}
}

func TestAtFindsThePlaceOfACharacter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text string }{
		{"plain", "v: abc X def"},
		{"plain with umlauts", "v: äöü X def"},
		{"plain over lines", "v: abc\n  def  \n   ghi X"},
		{"single quotes", "v: 'it''s X'"},
		{"double quotes", `v: "\"\u00e4\x41\n X"`},
		{"double quotes over lines", "v: \"ab\n   cd \\\n   e X\""},
		{"double quotes over a blank line", "v: \"ab\n\n   cd X\""},
		{"a literal block", "v: |\n    ab\n\n      cd\n    X"},
		{"a literal block with blank lines first", "v: |\n\n    ab X"},
		{"a folded block", "v: >\n  ab\n  cd\n\n  ef X"},
		{"a folded block with an indented part", "v: >-\n  ab\n    cd\n  ef X\n"},
		{"within braces", "v: [1, {a: 'b'}]\nw: {value: 'a '' X'}"},
		{"mended quotes", "v: a: b X"},
		{"mended quotes with quotes", "v: 'a' + 'b' X"},
		{"mended tabs", "u:\n  a: 1\n\tb: c X"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n, _ := ReadYAML("f.yaml", []byte(c.text))
			if n == nil {
				t.Fatal("not read")
			}
			found := false
			var visit func(n *Node)
			visit = func(n *Node) {
				for _, p := range n.Pairs {
					visit(p.Value)
				}
				for i, r := range []rune(n.Value) {
					if r != 'X' {
						continue
					}
					found = true
					at := n.At(i)
					line := []rune(n.File.Line(at.Line))
					if at.Column < 1 || at.Column > len(line) || line[at.Column-1] != 'X' {
						t.Errorf("X is said to be at %v of\n%s", at, c.text)
					}
				}
			}
			visit(n)
			if !found {
				t.Fatal("no value holds X")
			}
		})
	}
}

func FuzzReadYAML(f *testing.F) {
	for _, s := range []string{"a: 1\n", "a:\n\tb: 'x\n", "- a: b: c\n  d: \"e\n", "a: |\n  x\n y\n", "{{", "a: &b [*b]\n", "? {a: b}\n: c\n", "%YAML 1.1\n---\na\n...\nb"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 32<<10 {
			return
		}
		n, ps := ReadYAML("f.yaml", text)
		if n == nil && len(ps) == 0 {
			t.Error("nothing read and nothing said")
		}
		ps.Render(&strings.Builder{})
		var visit func(n *Node)
		visit = func(n *Node) {
			n.At(0)
			n.At(len(n.Value))
			for _, p := range n.Pairs {
				visit(p.Key)
				visit(p.Value)
			}
			for _, x := range n.Items {
				visit(x)
			}
		}
		if n != nil {
			visit(n)
		}
	})
}

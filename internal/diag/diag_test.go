package diag

import (
	"strings"
	"testing"
	"time"
)

func TestRenderShowsTheLineAndACaret(t *testing.T) {
	t.Parallel()
	n, _ := ReadYAML("m.yaml", []byte("a: 1\nname: =contact.frist\n"))
	p := n.Get("name").ProblemAt(1, 13, "unknown path contact.frist", "did you mean contact.first_name?")
	var b strings.Builder
	Problems{p, {Pos: Pos{File: "m.yaml"}, Severity: Warning, Message: "odd"}}.Render(&b)
	want := `m.yaml:2:8: unknown path contact.frist
    2 | name: =contact.frist
      |        ^^^^^^^^^^^^^
      = did you mean contact.first_name?

m.yaml: warning: odd
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestRenderCutsLongLinesAroundTheCaret(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("x", 500) + "HERE" + strings.Repeat("y", 500)
	var b strings.Builder
	Problems{{Pos: Pos{"f", 1, 501}, Width: 4, Message: "m", Line: line}}.Render(&b)
	lines := strings.Split(b.String(), "\n")
	at := strings.Index(lines[2], "^^^^")
	if got := string([]rune(lines[1])[len([]rune(lines[2][:at])):][:4]); got != "HERE" {
		t.Errorf("the caret stands under %q in\n%s", got, b.String())
	}
	if len(lines[1]) > 250 {
		t.Errorf("the line has %d bytes", len(lines[1]))
	}
}

func TestControlCharactersAreNotShown(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	Problems{{Pos: Pos{"f", 1, 1}, Width: 1, Message: "m", Line: "a\x1b[31mb\tc"}}.Render(&b)
	if strings.ContainsAny(b.String(), "\x1b\t") {
		t.Errorf("got %q", b.String())
	}
}

func TestErrIsNilWithWarningsOnly(t *testing.T) {
	t.Parallel()
	if err := (Problems{{Severity: Warning}}).Err(); err != nil {
		t.Errorf("got %v", err)
	}
	if err := (Problems{{Severity: Warning}, {}}).Err(); err == nil {
		t.Error("an error is among them; got nil")
	}
}

func TestSuggestFindsLikelyMisspellings(t *testing.T) {
	t.Parallel()
	known := []string{"first_name", "last_name", "email", "call.ended"}
	for word, want := range map[string]string{"frist_name": "first_name", "emial": "email", "EMAIL": "email", "call.endet": "call.ended", "city": "", "": "", "lastname": "last_name"} {
		if got := Suggest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestDecodeTakesNoNumberThatIsNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"nan", "NaN", ".nan", "inf", "-Inf", ".inf", "infinity", "1e999"} {
		var into struct {
			X float64 `yaml:"x"`
		}
		n, _ := ReadYAML("f.yaml", []byte("x: "+text+"\n"))
		if got := short(n.Decode(&into)); !strings.Contains(got, "wants a number") {
			t.Errorf("%s is taken for %v: %q", text, into.X, got)
		}
	}
}

func TestDecodeReportsEveryProblem(t *testing.T) {
	t.Parallel()
	var into struct {
		Name  string         `yaml:"name,required"`
		Wait  time.Duration  `yaml:"wait"`
		Count int            `yaml:"count"`
		On    bool           `yaml:"on"`
		List  []string       `yaml:"list"`
		Map   map[string]int `yaml:"map"`
		Sub   struct {
			X float64 `yaml:"x,required"`
		} `yaml:"sub"`
	}
	n, _ := ReadYAML("f.yaml", []byte("wait: soon\ncount: 1.5\non: perhaps\nlist: one\nmap: {a: b}\nsub:\nnmae: x\n"))
	want := `7:1 unknown key "nmae" (did you mean name?)
1:7 wants a length of time (write it like 30s, 5m, 2h or 7d)
2:8 wants a whole number
3:5 wants true or false
5:10 wants a whole number
6:5 "x" is missing (add x: …)
`
	ps := n.Decode(&into)
	got := map[string]bool{}
	for line := range strings.SplitSeq(short(ps), "\n") {
		got[line] = true
	}
	for line := range strings.SplitSeq(want, "\n") {
		if !got[line] {
			t.Errorf("lacks %q; got\n%s", line, short(ps))
		}
	}
	if len(into.List) != 1 || into.List[0] != "one" {
		t.Errorf("a single value as a list: got %v", into.List)
	}
	n, _ = ReadYAML("f.yaml", []byte("name: x\nwait: 7d\non: yes\nsub: {x: 1}\n"))
	if ps := n.Decode(&into); len(ps) > 0 || into.Wait != 7*24*time.Hour || !into.On {
		t.Errorf("got %+v, %v", into, ps)
	}
}

func TestALengthOfTimeThatDoesNotFitIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"100000d": "", "200000d": "is too long a time", "999999999999d": "is too long a time", "NaNd": "wants a length of time", "infd": "wants a length of time", "1e300d": "wants a length of time",
	} {
		var into struct {
			Wait time.Duration `yaml:"wait"`
		}
		n, _ := ReadYAML("f.yaml", []byte("wait: "+text+"\n"))
		if got := short(n.Decode(&into)); want == "" && got != "" || !strings.Contains(got, want) || into.Wait < 0 {
			t.Errorf("%s: got %v, %q; want %q", text, into.Wait, got, want)
		}
	}
}

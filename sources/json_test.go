package sources

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestCheckJSON(t *testing.T) {
	t.Parallel()
	many := func(n int, key func(int) string) string {
		var b strings.Builder
		b.WriteString(`{"first":0`)
		for i := range n {
			b.WriteString(`,"` + key(i) + `":1`)
		}
		return b.String() + "}"
	}
	for _, c := range []struct{ name, body, want string }{
		{"an object", ` {"a":[1,-0.5e+3,"x\u00e4\n",true,false,null,{}]} `, ""},
		{"64 levels", strings.Repeat("[", 64) + strings.Repeat("]", 64), ""},
		{"65 levels", strings.Repeat("[", 65) + strings.Repeat("]", 65), "nested deeper than 64 levels"},
		{"the same key in two objects", `[{"a":1},{"a":1},{"b":{"a":1},"a":2}]`, ""},
		{"the same key twice", `{"a":1,"b":2,"a":1}`, "ambiguous: a key occurs twice in one object, at byte 14"},
		{"the same key escaped", `{"status":1,"st\u0061tus":2}`, "ambiguous: a key occurs twice in one object, at byte 13"},
		{"the same key in another case", `{"status":1,"StatuS":2}`, "ambiguous: a key occurs twice in one object, at byte 13"},
		{"a long s", `{"status":1,"ſtatus":2}`, "ambiguous: a key occurs twice in one object, at byte 13"},
		{"the same key but for a NUL, which is not read", `{"status":1,"\u0000status":2}`, "ambiguous: a key occurs twice in one object, at byte 13"},
		{"a dotted capital I is another letter", `{"i":1,"İ":2}`, ""},
		{"a thousand keys", many(1000, func(i int) string { return "k" + strconv.Itoa(i) }), ""},
		{"a duplicate among a thousand keys", many(1000, func(i int) string { return "k" + strconv.Itoa(i%999) }), "ambiguous: a key occurs twice in one object, at byte 8893"},
		{"too many values", "[" + strings.Repeat("0,", 250_000) + "0]", "more than 250000 values"},
		{"a leading zero", `[01]`, "not JSON: a comma or closing bracket is missing at byte 2"},
		{"a number and nothing", `[-]`, "not JSON: no value stands at byte 2"},
		{"a cut escape", `["\u00e`, "not JSON: an escape is broken at byte 3"},
		{"a line feed in a string", "[\"a\nb\"]", "not JSON: a control character stands in a string at byte 3"},
		{"a comma too many", `[1,]`, "not JSON: no value stands at byte 3"},
		{"blanks only", " \n", "the body is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := CheckJSON([]byte(c.body)); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// FuzzReadJSON holds our reader to the standard library's.
func FuzzReadJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-0.5e+3,"x\u00e4\n\ud83d\ude00\ud800",true,false,null,{}]}`, `[]`, `"\u0000"`, `1e400`, `{"a":1,"A":2}`, `{"":{"":[{}]}}`, `[1,2`, ` 0 `, `{"k\u0065y":"\/"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := ReadJSON(body)
		valid := json.Valid(body) && utf8.Valid(body)
		if err == nil && !valid {
			t.Fatalf("taken, but it is not JSON: %q", body)
		}
		if err != nil {
			if valid && !strings.Contains(err.Error(), "ambiguous") && !strings.Contains(err.Error(), "nested") && !strings.Contains(err.Error(), "more than") {
				t.Fatalf("refused (%v), but it is JSON: %q", err, body)
			}
			return
		}
		var want any
		dec := json.NewDecoder(strings.NewReader(string(body)))
		dec.UseNumber()
		if err := dec.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if got := tree(v); !reflect.DeepEqual(got, clean(want)) {
			t.Fatalf("%q: got %#v, want %#v", body, got, want)
		}
	})
}

// tree rebuilds what encoding/json makes of a document.
func tree(v Value) any {
	n := v.node()
	switch n.kind {
	case object:
		m := map[string]any{}
		for k, x := range v.Members() {
			m[k] = tree(x)
		}
		return m
	case array:
		l := []any{}
		for x := range v.Items() {
			l = append(l, tree(x))
		}
		return l
	case str:
		return v.read(n.start, n.end, n.escaped)
	case number:
		return json.Number(v.raw())
	case boolean:
		return v.True()
	}
	return nil
}

// clean takes NUL out, as reading does.
func clean(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "\x00", "")
	case map[string]any:
		m := map[string]any{}
		for k, x := range v {
			m[strings.ReplaceAll(k, "\x00", "")] = clean(x)
		}
		return m
	case []any:
		for i := range v {
			v[i] = clean(v[i])
		}
	}
	return v
}

func TestValueReadsWhatIsThereAndNothingElse(t *testing.T) {
	t.Parallel()
	doc, err := ReadJSON([]byte(`{"n":5,"s":" 7 ","big":123456789012345678901,"t":true,"ts":"True","o":{"x":1},"e":{},"l":[1,"a",null,{}],"z":null,"f":1.5,"huge":1e400,"half":"\ud800x"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"the digits of a number", doc.Get("n").Text(), "5"},
		{"text without blanks", doc.Get("s").Text(), "7"},
		{"a number in text", doc.Get("s").Int(), 7},
		{"an object is no text", doc.Get("o").Text(), ""},
		{"an object is no number", doc.Get("o").Int(), 0},
		{"a missing value is no text", doc.Get("nope").Get("deeper").Text(), ""},
		{"an index into text", doc.Get("s").Get("x").Known(), false},
		{"an empty object is not known", doc.Get("e").Known(), false},
		{"null is not known", doc.Get("z").Known(), false},
		{"true in text", doc.Get("ts").True(), true},
		{"a fraction is no whole number", doc.Get("f").Int(), 0},
		{"a huge number is none", doc.Get("huge").Int(), 0},
		{"a number too big for any type stays text", doc.Get("big").Plain(), "123456789012345678901"},
		{"a whole number", doc.Get("n").Plain(), 5},
		{"half a surrogate pair", doc.Get("half").Text(), "\uFFFDx"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %#v, want %#v", c.name, c.got, c.want)
		}
	}
	if got, want := doc.Get("l").Plain(), []any{1, "a"}; !reflect.DeepEqual(got, want) {
		t.Errorf("a list of plain values: got %#v, want %#v", got, want)
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-03-04T09:32:12Z":          "2026-03-04T09:32:12Z",
		"2026-03-04T10:32:12.5+01:00":   "2026-03-04T09:32:12.5Z",
		"2026-03-04T10:32:12.5+0100":    "2026-03-04T09:32:12.5Z",
		"2026-03-04 09:32:12":           "2026-03-04T09:32:12Z",
		"2026-03-04T09:32:12.123456789": "2026-03-04T09:32:12.123456789Z",
		"1772616732":                    "2026-03-04T09:32:12Z",
		"1772616732078":                 "2026-03-04T09:32:12.078Z",
		"1772616732078000":              "2026-03-04T09:32:12.078Z",
		"1772616732078000000":           "2026-03-04T09:32:12.078Z",
		"1772616732.078":                "2026-03-04T09:32:12.078Z",
		"1.772616732078e12":             "2026-03-04T09:32:12.078Z",
		"-5":                            "",
		"NaN":                           "",
		"24:60":                         "",
		"2026-02-30T00:00:00Z":          "",
		"yesterday":                     "",
		"":                              "",
		"9999999999999999999999":        "",
	} {
		got := ""
		if at, ok := ParseTime(text); ok {
			got = at.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

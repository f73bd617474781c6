package respondio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

func TestStringify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body, want string }{
		{"blanks", " { \"a\" : [ 1 , { } , [ ] ] ,\r\n\t\"b\":null } \n", `{"a":[1,{},[]],"b":null}`},
		{"order", `{"b":1,"a":2}`, `{"b":1,"a":2}`},
		{"nothing of HTML is escaped", `"<b>&\u0026\u003c"`, `"<b>&&<"`},
		{"slashes", `"https:\/\/example.com/"`, `"https://example.com/"`},
		{"escapes that are kept", `"\"\\\b\f\n\r\t"`, `"\"\\\b\f\n\r\t"`},
		{"escapes that have shorter ones", `"\u0022\u005C\u0008\u000c\u000A\u000d\u0009"`, `"\"\\\b\f\n\r\t"`},
		{"control characters", `"\u0000\u001F\u007f"`, `"\u0000\u001f` + "\x7f\""},
		{"letters", `"\u00e4\u2028ä"`, "\"ä\u2028ä\""},
		{"a pair", `"\ud83d\uDD25"`, `"🔥"`},
		{"halves of pairs", `"\uD83D \udd25\ud83d\ud83d\udd25"`, `"\ud83d \udd25\ud83d🔥"`},
		{"a half before an escape", `"\ud83d\n\ud83d\u0041\ud83d"`, `"\ud83d\n\ud83dA\ud83d"`},
		{"whole numbers", `[0,-0,12,-12,1.0,100e-2,1e3,1E+2]`, `[0,0,12,-12,1,1,1000,100]`},
		{"large numbers", `[1772616612264001,9007199254740993,123456789012345678901,1e21,1e400,-1e400]`, `[1772616612264001,9007199254740992,123456789012345680000,1e+21,null,null]`},
		{"small numbers", `[0.1,1e-6,1e-7,0.000001234,5e-324,1e-400,-1.5e-10]`, `[0.1,0.000001,1e-7,0.000001234,5e-324,0,-1.5e-10]`},
		{"keys that are whole numbers come first", `{"b":1,"10":2,"9":3,"01":4,"-1":5,"1.5":6,"4294967294":7,"4294967295":8,"0":9}`, `{"0":9,"9":3,"10":2,"4294967294":7,"b":1,"01":4,"-1":5,"1.5":6,"4294967295":8}`},
		{"so deeper down", `{"x":[{"2":{"b":1,"1":2},"1":0}]}`, `{"x":[{"1":0,"2":{"1":2,"b":1}}]}`},
		{"a key twice", `{"a":1,"b":2,"\u0061":{"c":3}}`, `{"a":{"c":3},"b":2}`},
		{"keys that differ in case", `{"a":1,"A":2}`, `{"a":1,"A":2}`},
		{"__proto__ is a key like others", `{"b":1,"__proto__":{"a":1}}`, `{"b":1,"__proto__":{"a":1}}`},
		{"text", `"x"`, `"x"`},
		{"null", ` null `, `null`},
		{"64 levels", strings.Repeat("[", 64) + "1" + strings.Repeat("]", 64), strings.Repeat("[", 64) + "1" + strings.Repeat("]", 64)},

		{"deeper", strings.Repeat("[", 66) + strings.Repeat("]", 66), "not ok"},
		{"no JSON", `{"a":1,}`, "not ok"},
		{"two documents", `{}{}`, "not ok"},
		{"nothing", ``, "not ok"},
		{"a byte order mark", "\xef\xbb\xbf{}", "not ok"},
		{"invalid UTF-8", "\"\xff\"", "not ok"},
		{"a large body", `"` + strings.Repeat("x", 2<<20) + `"`, "not ok"},
	} {
		got, ok := stringify([]byte(c.body))
		if !ok {
			got = []byte("not ok")
		}
		if string(got) != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// TestStringifyIsNodes compares documents made at random with what Node.js
// makes of them, where it is installed.
func TestStringifyIsNodes(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("Node.js is not installed")
	}
	r := rand.New(rand.NewPCG(7, 11))
	var in bytes.Buffer
	var docs []string
	for range 2000 {
		doc := randomJSON(r, 0)
		docs = append(docs, doc)
		line, _ := json.Marshal(doc)
		in.Write(append(line, '\n'))
	}
	cmd := exec.CommandContext(t.Context(), node, "-e", `
		for (const line of require("fs").readFileSync(0, "utf8").trimEnd().split("\n"))
			console.log(JSON.stringify(JSON.stringify(JSON.parse(JSON.parse(line)))))`)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(docs) {
		t.Fatalf("%d answers to %d documents", len(lines), len(docs))
	}
	for i, line := range lines {
		var want string
		if err := json.Unmarshal([]byte(line), &want); err != nil {
			t.Fatal(err)
		}
		if got, ok := stringify([]byte(docs[i])); !ok || string(got) != want {
			t.Fatalf("of %s\ngot  %s (%v)\nwant %s", docs[i], got, ok, want)
		}
	}
}

// randomJSON makes a document of what stringify could get wrong.
func randomJSON(r *rand.Rand, depth int) string {
	blank := func() string { return []string{"", "", " ", "\n\t", "\r"}[r.IntN(5)] }
	text := func() string {
		var b strings.Builder
		for range r.IntN(6) {
			switch r.IntN(8) {
			case 0:
				fmt.Fprintf(&b, `\u%04x`, r.IntN(0x10000))
			case 1:
				fmt.Fprintf(&b, `\u%04X`, 0xd800+r.IntN(0x800))
			case 2:
				fmt.Fprintf(&b, `\ud83%x\ud%x%02X`, r.IntN(16), 12+r.IntN(4), r.IntN(256))
			case 3:
				b.WriteString([]string{`\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`}[r.IntN(8)])
			case 4:
				b.WriteString([]string{"ä", "🔥", "\u2028", "\x7f", "<&>", "李", "\ufffd", "\u00a0"}[r.IntN(8)])
			default:
				b.WriteByte("abcXYZ 0'/"[r.IntN(10)])
			}
		}
		return `"` + b.String() + `"`
	}
	kind := r.IntN(8)
	if depth > 4 {
		kind = r.IntN(5)
	}
	switch kind {
	case 0:
		return []string{"true", "false", "null"}[r.IntN(3)]
	case 1, 2:
		n := fmt.Sprint(r.Uint64() >> r.IntN(64))
		if r.IntN(3) == 0 {
			n += fmt.Sprintf(".%d", r.Uint64()>>r.IntN(64))
		}
		if r.IntN(3) == 0 {
			n += fmt.Sprintf("%s%d", []string{"e", "E", "e+", "E-", "e-0"}[r.IntN(5)], r.IntN(400))
		}
		return strings.Repeat("-", r.IntN(2)) + n
	case 3, 4:
		return text()
	case 5:
		items := []string{}
		for range r.IntN(4) {
			items = append(items, blank()+randomJSON(r, depth+1)+blank())
		}
		return "[" + strings.Join(items, ",") + blank() + "]"
	}
	members := []string{}
	for range r.IntN(6) {
		key := text()
		switch r.IntN(4) {
		case 0:
			key = fmt.Sprintf(`"%d"`, r.Uint64()>>(25+r.IntN(39)))
		case 1:
			key = []string{`"a"`, `"\u0061"`, `"1"`, `"\u0031"`, `"__proto__"`, `"constructor"`, `"4294967295"`, `"4294967294"`, `"00"`, `""`}[r.IntN(10)]
		}
		members = append(members, blank()+key+blank()+":"+blank()+randomJSON(r, depth+1)+blank())
	}
	return "{" + strings.Join(members, ",") + blank() + "}"
}

// FuzzStringify holds it to its promises: valid JSON, the same value, and
// nothing left to do the second time.
func FuzzStringify(f *testing.F) {
	for _, s := range []string{`{"2":[1.0,-0,1e400],"1":"\ud800\/","a":{},"a":1}`, ` null`, `"\u0000"`, `[1e-7,123456789012345678901]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		text, ok := stringify(body)
		if !ok {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%s became %s, which is no JSON", body, text)
		}
		if again, ok := stringify(text); !ok || !bytes.Equal(text, again) {
			t.Fatalf("%s became %s, and that %s (%v)", body, text, again, ok)
		}
	})
}

func BenchmarkStringify(b *testing.B) {
	body := []byte(`{"list":[` + strings.Repeat(`{"text": "Guten Tag, Beispiel GmbH \u00e4", "start": 0.4, "1": "agent"},`, 10_000) + `0]}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := stringify(body); !ok {
			b.Fatal("not ok")
		}
	}
}

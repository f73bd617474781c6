package mapping

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

func FuzzRead(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "testdata/problems/*.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 64<<10 {
			return
		}
		began := computed(t)
		r, ps := Read([]File{{"mapping.yaml", text}}, design)
		if took := computed(t) - began; took > 5*time.Second {
			t.Errorf("reading %d bytes took %v", len(text), took)
		}
		for _, p := range ps {
			if p.Pos.File == "" || p.Message == "" || p.Pos.Line < 0 || p.Pos.Line > 0 && p.Pos.Column < 1 {
				t.Errorf("a problem without a place or words: %+v", p)
			}
		}
		if ps.Err() != nil {
			return
		}
		ev := finished()
		for _, name := range r.Connectors(ev) {
			_, _ = r.Plan(ev, name)
		}
		r.Explain(ev)
		r.Rules()
	})
}

func FuzzFormula(f *testing.F) {
	for _, x := range Functions() {
		f.Add(x.Example)
	}
	for _, source := range []string{
		`contact.first_name ?? ("a" + contact.tags[0])`, `reduce(1..100, #acc + #acc, "x")`, `((((((((`, `call.outcome["x"].y?.z[1:2]`, "\"\\u00ff\" + 'x' + `y`", `-0x1F / 1e400 % 0b1`, `a ? b : c`, `{a: 1}`, `"}}" in ["}}"]`,
		`call.duration < max(true)`, `[left("a")]`,
	} {
		f.Add(source)
	}
	s := testScope()
	events := []*event.Event{finished(), {}}
	f.Fuzz(func(t *testing.T, source string) {
		node := &diag.Node{Value: "=" + source, Quoted: true, Line: 1, Column: 1, File: &diag.File{Name: "m.yaml"}}
		began := computed(t)
		x, ps := s.formula(node, kAny|kObject)
		if ps.Has(diag.Error) {
			return
		}
		for _, ev := range events {
			v, fault := x.eval(newEnv(ev, time.UTC, ""))
			if fault != nil && strings.Contains(fault.message, "report this as a bug") {
				t.Errorf("%q panics on an event", source)
			}
			if n := len(toText(v, time.UTC)); n > 8*MaxText {
				t.Errorf("%q gives %d bytes", source, n)
			}
		}
		if took := computed(t) - began; took > 5*time.Second {
			t.Errorf("%q took %v", source, took)
		}
	})
}

func BenchmarkPlan(b *testing.B) {
	text, err := os.ReadFile("testdata/design.yaml")
	if err != nil {
		b.Fatal(err)
	}
	r, ev := read(b, string(text), design), finished()
	b.ReportAllocs()
	for b.Loop() {
		if p, err := r.Plan(ev, "hubspot"); err != nil || len(p.Records) != 2 {
			b.Fatal(p, err)
		}
	}
}

func BenchmarkNoMatch200Rules(b *testing.B) {
	var text strings.Builder
	text.WriteString("version: 1\nrules:\n")
	for i := range 200 {
		fmt.Fprintf(&text, "  - {name: r%d, on: call.ended, to: hubspot, when: '=call.status == \"failed\" || contact.first_name == \"n%d\"', records: [{object: o, match: id, fields: {id: =call.id}}]}\n", i, i)
	}
	r, ev := read(b, text.String(), design), finished()
	b.ReportAllocs()
	for b.Loop() {
		if names := r.Connectors(ev); names != nil {
			b.Fatal(names)
		}
	}
}

// two hundred rules, with conditions, of which the design's writes its two
// records: twelve fields, with tables, texts and functions.
func twoHundred(tb testing.TB) (*Rules, *event.Event) {
	tb.Helper()
	text, err := os.ReadFile("testdata/design.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	all := string(text)
	for i := range 199 {
		all += fmt.Sprintf("  - {name: r%d, on: call.ended, to: hubspot, when: '=call.status == \"failed\" || contact.first_name == \"n%d\"', records: [{object: o, match: id, fields: {id: =call.id}}]}\n", i, i)
	}
	return read(tb, all, design), finished()
}

// BenchmarkPlan200Rules is all that the mapping does for one event: to which
// connectors it goes, and which records are written there.
func BenchmarkPlan200Rules(b *testing.B) {
	r, ev := twoHundred(b)
	b.ReportAllocs()
	for b.Loop() {
		names := r.Connectors(ev)
		if p, err := r.Plan(ev, names[0]); err != nil || len(p.Records) != 2 {
			b.Fatal(p, err)
		}
	}
}

func TestAnEventAgainst200RulesTakesFewAllocations(t *testing.T) {
	r, ev := twoHundred(t)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = r.Plan(ev, r.Connectors(ev)[0])
	}); n >= 50 {
		t.Errorf("%v allocations, want less than 50", n)
	}
}

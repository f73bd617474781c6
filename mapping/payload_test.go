package mapping_test

import (
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/mapping"
)

func TestFormulasOverAPayload(t *testing.T) {
	t.Parallel()
	root, ps := diag.ReadYAML("config.yaml", []byte(`
tables: {agents: {"17": lena, "*": nobody}}
a: =raw.call.id
b: "{{ raw.first }} {{ raw.last }}"
c: inbound
d: =table("agents", raw.agent)
e: =phone(raw.number)
f: =time("2026-03-10 12:00")
g: =raw.list[0].url ?? "none"
h: '={{ raw.x }}'
i: =call.id
j: =raw.x matches "a"
k: '=table("agent", raw.x)'
l: =raw
m: =[raw.x]
`))
	if ps.Err() != nil {
		t.Fatal(ps)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	formulas, ps := mapping.NewFormulas("DE", berlin, root.Get("tables"))
	if ps.Err() != nil {
		t.Fatal(ps)
	}
	raw := map[string]any{"call": map[string]any{"id": 7}, "first": "Erika", "last": "", "agent": 17, "number": "030 23125017"}
	for name, want := range map[string]any{
		"a": 7, "b": "Erika ", "c": "inbound", "d": "lena", "e": "+493023125017", "g": "none",
		"f": time.Date(2026, 3, 10, 11, 0, 0, 0, time.UTC),
	} {
		f, ps := formulas.Compile(root.Get(name), event.Text)
		if ps.Err() != nil {
			t.Errorf("%s: %v", name, ps)
			continue
		}
		got, err := f(raw)
		if at, ok := got.(time.Time); ok {
			got = at.UTC()
		}
		if err != nil || got != want {
			t.Errorf("%s: got %v (%v), want %v", name, got, err, want)
		}
	}
	for name, c := range map[string]struct {
		kind event.Kind
		want string
	}{
		"h": {event.Text, "config.yaml:10:"},
		"i": {event.Text, "unknown name call"},
		"j": {event.Text, "matches is not supported"},
		"k": {event.Text, `unknown table "agent" (did you mean agents?)`},
		"m": {event.Time, "this gives a list, and text, a number or a time is wanted"},
	} {
		if _, ps := formulas.Compile(root.Get(name), c.kind); !ps.Has(diag.Error) || !strings.Contains(ps.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, ps, c.want)
		}
	}
	if _, ps := mapping.NewFormulas("", nil, root.Get("c")); !ps.Has(diag.Error) {
		t.Error("a text was taken for tables")
	}
}

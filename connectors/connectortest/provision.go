package connectortest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
)

// Provision is what the fields that a connector makes are tested with.
type Provision struct {
	Sandbox func(t *testing.T) (url string)
	New     func(t *testing.T, url string, o connectors.Options) connectors.Connector
	Shape   Shape
	Name    func(word string) string // a field's name as the CRM has such
	Bad     string                   // a name that the CRM cannot have
	Unique  bool                     // the CRM keeps fields unique
	NoTimes bool                     // it has days only
	NoBools bool                     // truths are options
	Grant   func(t *testing.T, url, object, field string)
}

type made struct {
	word  string
	field connectors.Field
	in    connectors.Value
	want  connectors.Value
}

// TestProvision makes a field of each type, and writes and reads it.
func TestProvision(t *testing.T, p Provision) {
	t.Helper()
	ctx := t.Context()
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	options := func() []connectors.Option {
		return []connectors.Option{{Value: "not_reached", Label: "Not reached"}, {Value: "reached", Label: "Reached"}}
	}
	cases := []made{
		{"text", connectors.Field{Type: connectors.Text}, "a", "a"},
		{"key", connectors.Field{Type: connectors.Text, Unique: true}, "k-1", "k-1"},
		{"long", connectors.Field{Type: connectors.LongText}, "a\nb", "a\nb"},
		{"mail", connectors.Field{Type: connectors.Email}, "a@example.com", "a@example.com"},
		{"tel", connectors.Field{Type: connectors.Phone}, "+4930901820", "+4930901820"},
		{"url", connectors.Field{Type: connectors.URL}, "https://example.com/a", "https://example.com/a"},
		{"number", connectors.Field{Type: connectors.Number}, 12.5, 12.5},
		{"length", connectors.Field{Type: connectors.Duration, Unit: "s"}, event.Seconds(120), nil},
		{"truth", connectors.Field{Type: connectors.Boolean}, true, true},
		{"day", connectors.Field{Type: connectors.Date}, day, day},
		{"time", connectors.Field{Type: connectors.DateTime}, at, at},
		{"choice", connectors.Field{Type: connectors.Select, Options: options()}, "not_reached", "not_reached"},
		{"choices", connectors.Field{Type: connectors.MultiSelect, Options: options()}, []any{"reached"}, []any{"reached"}},
	}
	url := p.Sandbox(t)
	c := p.New(t, url, connectors.Options{Name: "crm", Country: "DE"})
	maker, checker := c.(connectors.Provisioner), c.(connectors.Checker)
	again := func() { // with no schema from before
		c = p.New(t, url, connectors.Options{Name: "crm", Country: "DE"})
		maker, checker = c.(connectors.Provisioner), c.(connectors.Checker)
	}
	change := connectors.Change{Object: p.Shape.Object, Fields: p.Shape.needed()}
	for i, m := range cases {
		name := p.Name(m.word)
		m.field.Name, m.field.Label = name, "Made "+m.word
		f, manual := maker.Propose(p.Shape.Object, m.field)
		switch {
		case manual != "" || f.Native == "":
			t.Fatalf("Propose(%s) = %+v, %q; want it to be made", m.word, f, manual)
		case f.Unique != (m.field.Unique && p.Unique):
			t.Errorf("Propose(%s) says unique %v", m.word, f.Unique)
		}
		if _, err := checker.CheckField(ctx, p.Shape.Object, name); err == nil || err.Kind != connectors.Invalid {
			t.Fatalf("before it is made, CheckField(%s) = %v, want Invalid", name, err)
		}
		if p.make(t, maker, url, f); p.Grant != nil {
			again() // it was another one who granted it
		}
		got, err := checker.CheckField(ctx, p.Shape.Object, name)
		if err != nil {
			t.Fatalf("after it was made, CheckField(%s) = %v", name, err)
		}
		if err := checker.CheckValue(ctx, p.Shape.Object, got, m.in); err != nil {
			t.Errorf("%s, which is now %s, does not take its value: %v", m.word, got.Type, err)
		}
		if m.field.Unique && p.Unique && !got.Upsert {
			t.Errorf("the key is %+v; want one to upsert by", got)
		}
		var twice *connectors.Error
		if err := maker.CreateField(ctx, p.Shape.Object, f); !errors.As(err, &twice) || twice.Kind != connectors.Conflict {
			t.Errorf("making %s again = %v, want a Conflict", m.word, err)
		}
		change.Fields[name] = m.in
		switch {
		case m.field.Type == connectors.DateTime && p.NoTimes:
			cases[i].want = day
		case m.field.Type == connectors.Boolean && p.NoBools:
			cases[i].want = "true"
		}
	}
	if _, manual := maker.Propose(p.Shape.Object, connectors.Field{Name: p.Bad, Type: connectors.Text}); manual == "" {
		t.Errorf("Propose(%q) would make it", p.Bad)
	}
	again()
	p.roundTrip(t, c, change, cases)
}

// make makes a field, and gives crmsyncd the right to see it where that is a
// person's step of its own.
func (p Provision) make(t *testing.T, maker connectors.Provisioner, url string, f connectors.Field) {
	t.Helper()
	err := maker.CreateField(t.Context(), p.Shape.Object, f)
	if p.Grant == nil {
		if err != nil {
			t.Fatalf("CreateField(%s) = %v", f.Name, err)
		}
		return
	}
	var e *connectors.Error
	if !errors.As(err, &e) || e.Kind != connectors.Auth || e.Account {
		t.Fatalf("CreateField(%s) = %v, want Auth: the user may not see it yet", f.Name, err)
	}
	p.Grant(t, url, p.Shape.Object, f.Name)
}

func (p Provision) roundTrip(t *testing.T, c connectors.Connector, change connectors.Change, cases []made) {
	t.Helper()
	results, err := c.Write(t.Context(), []connectors.Change{change})
	if err != nil || results[0].Err != nil {
		t.Fatalf("Write = %v, %v", results[0].Err, err)
	}
	m := connectors.Match{Object: p.Shape.Object, Keys: []connectors.Key{{{Field: connectors.ID, Value: results[0].ID}}}}
	for _, x := range cases {
		m.Read = append(m.Read, p.Name(x.word))
	}
	found, err := c.Find(t.Context(), []connectors.Match{m})
	if err != nil || found[0].Err != nil || len(found[0].Records) != 1 {
		t.Fatalf("Find = %+v, %v", found, err)
	}
	for _, x := range cases {
		got := found[0].Records[0].Fields[p.Name(x.word)]
		if x.want == nil {
			if got == nil {
				t.Errorf("%s is not there", x.word)
			}
			continue
		}
		if diff := cmp.Diff(x.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", x.word, diff)
		}
	}
}

// needed are the fields without which the CRM makes no record.
func (s Shape) needed() map[string]connectors.Value {
	out := map[string]connectors.Value{s.Name: "Mustermann"}
	for name, v := range s.Needed {
		out[name] = v
	}
	return out
}

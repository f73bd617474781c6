package connectortest

import (
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
)

func describe(t *testing.T, b *bench) {
	schema, err := b.Describe(t.Context(), []string{b.People.Object, b.Calls.Object, "nothing_like_it"})
	if err != nil {
		t.Fatal(err)
	}
	if len(schema) != 2 {
		t.Errorf("got %d objects, want the two that exist", len(schema))
	}
	people := schema[b.People.Object]
	for name, want := range map[string]connectors.FieldType{b.People.Key: connectors.Text, b.People.Email: connectors.Email, b.People.Phone: connectors.Phone} {
		if got := people.Fields[name].Type; got != want {
			t.Errorf("field %q: got type %q, want %q", name, got, want)
		}
	}
	before := b.requests(t)
	if _, err := b.Describe(t.Context(), []string{b.People.Object}); err != nil || b.requests(t) != before {
		t.Errorf("a second describe: error %v, %d requests more; want it answered from memory", err, b.requests(t)-before)
	}
}

func findCounts(t *testing.T, b *bench) {
	p := b.People
	one := b.plant(t, map[string]any{p.Name: "One", p.Email: "one@example.com"})
	two := b.plant(t, map[string]any{p.Name: "Two", p.Email: "two@example.com", p.Phone: "+4930901820"})
	three := b.plant(t, map[string]any{p.Name: "Two", p.Email: "three@example.com", p.Phone: "030/901820"})
	found := b.find(t, b.by(p.Email, "nobody@example.com"), b.by(p.Email, "one@example.com"), b.by(p.Name, "Two"), b.by(p.Phone, "+4930901820"))
	for i, want := range [][]string{nil, {one.ID}, {two.ID, three.ID}, {two.ID, three.ID}} {
		sameIDs(t, found[i], want...)
	}
	if many := b.find(t, make([]connectors.Match, 0)...); len(many) != 0 {
		t.Errorf("no matches got %d answers", len(many))
	}
}

func findOrder(t *testing.T, b *bench) {
	p := b.People
	mail := b.plant(t, map[string]any{p.Name: "Mail", p.Email: "mail@example.com"})
	phone := b.plant(t, map[string]any{p.Name: "Phone", p.Email: "phone@example.com", p.Phone: "+4930901821"})
	keys := []connectors.Key{{{Field: p.Key, Value: "not-there"}}, {{Field: p.Email, Value: "mail@example.com"}}, {{Field: p.Phone, Value: "+4930901821"}}}
	found := b.find(t,
		connectors.Match{Object: p.Object, Keys: keys, Read: []string{p.Name}},
		connectors.Match{Object: p.Object, Keys: []connectors.Key{keys[0], keys[2], keys[1]}, Read: []string{p.Phone, p.Key}},
		connectors.Match{Object: p.Object},
	)
	sameIDs(t, found[0], mail.ID)
	sameIDs(t, found[1], phone.ID)
	sameIDs(t, found[2])
	if found[0].Key != 1 || found[1].Key != 1 {
		t.Errorf("found by keys %d and %d, want 1 and 1", found[0].Key, found[1].Key)
	}
	r := found[0].Records[0]
	if r.Fields[p.Name] != "Mail" || r.Created.IsZero() {
		t.Errorf("got %v created %v, want the name that was asked for and a time", r.Fields, r.Created)
	}
	if _, there := found[1].Records[0].Fields[p.Key]; there {
		t.Errorf("an empty field was answered: %v", found[1].Records[0].Fields)
	}
}

func findNotations(t *testing.T, b *bench) {
	p := b.People
	for in, stored := range map[string]string{"+4930901901": "030 901901", "+4930901902": "+49 (0)30 901902", "+4930901903": "0049 30 901 903", "+4930901904": "+4930901904"} {
		want := b.plant(t, map[string]any{p.Name: "N" + in, p.Email: "n" + in[1:] + "@example.com", p.Phone: stored})
		found := b.find(t, b.by(p.Phone, in), b.by(p.Phone, stored), b.by(p.Email, "N"+in[1:]+"@Example.COM"))
		for i := range found {
			sameIDs(t, found[i], want.ID)
		}
	}
	// The same digits of another country are another number.
	sameIDs(t, b.find(t, b.by(p.Phone, "+4330901904"))[0])
}

func findID(t *testing.T, b *bench) {
	p := b.People
	want := b.plant(t, map[string]any{p.Name: "One", p.Email: "one@example.com"})
	found := b.find(t, b.by(connectors.ID, want.ID), b.by(connectors.ID, `x") OR TRUE()`), b.by(connectors.ID, b.Missing),
		connectors.Match{Object: p.Object, Keys: []connectors.Key{{{Field: connectors.ID, Value: "foreign-id"}}, {{Field: p.Email, Value: "one@example.com"}}}})
	sameIDs(t, found[0], want.ID)
	sameIDs(t, found[1])
	sameIDs(t, found[2])
	sameIDs(t, found[3], want.ID)
}

func findComposite(t *testing.T, b *bench) {
	p := b.People
	b.plant(t, map[string]any{p.Name: "Same", p.Email: "a@example.com", p.Phone: "+4930901820"})
	want := b.plant(t, map[string]any{p.Name: "Same", p.Email: "b@example.com", p.Phone: "030 901821"})
	match := func(name, phone string) connectors.Match {
		return connectors.Match{Object: p.Object, Keys: []connectors.Key{{{Field: p.Name, Value: name}, {Field: p.Phone, Value: phone}}}}
	}
	found := b.find(t, match("Same", "+4930901821"), match("Other", "+4930901821"), match(`Sa"me\`, "+4930901821"))
	sameIDs(t, found[0], want.ID)
	sameIDs(t, found[1])
	sameIDs(t, found[2])
}

func sameIDs(t *testing.T, f connectors.Found, want ...string) {
	t.Helper()
	if f.Err != nil {
		t.Errorf("find: %v", f.Err)
		return
	}
	got := map[string]bool{}
	for _, r := range f.Records {
		got[r.ID] = true
	}
	for _, id := range want {
		if !got[id] {
			t.Errorf("found %v, want %v", f.Records, want)
			return
		}
	}
	if len(f.Records) != len(want) {
		t.Errorf("found %d records, want %d", len(f.Records), len(want))
	}
}

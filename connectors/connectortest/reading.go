package connectortest

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// reader is the connector as one that reads by id; it is one unless nothing of
// the CRM can be read.
func (b *bench) reader(t *testing.T) connectors.Reader {
	t.Helper()
	r, is := b.Connector.(connectors.Reader)
	if !is {
		t.Fatal("the connector cannot read records by their ids")
	}
	return r
}

func (b *bench) read(t *testing.T, ids []string, fields ...string) []connectors.Read {
	t.Helper()
	out, err := b.reader(t).Read(t.Context(), b.People.Object, ids, fields)
	if err != nil || len(out) != len(ids) {
		t.Fatalf("read: got %d answers for %d ids, error %v", len(out), len(ids), err)
	}
	return out
}

func onlyReaders(t *testing.T, b *bench) {
	if _, is := b.Connector.(connectors.Reader); is == b.WriteOnly {
		t.Errorf("the connector is a reader: %v, want %v", is, !b.WriteOnly)
	}
}

func readIDs(t *testing.T, b *bench) {
	p := b.People
	one := b.plant(t, map[string]any{p.Name: "One", p.Email: "one@example.com", p.Phone: "+4930901820"})
	two := b.plant(t, map[string]any{p.Name: "Two", p.Email: "two@example.com"})
	gone := b.plant(t, map[string]any{p.Name: "Gone", p.Email: "gone@example.com"})
	b.sandbox(t, http.MethodDelete, "/_/records/"+b.CRM+"/"+url.PathEscape(p.Object)+"/"+gone.ID, nil, nil)
	got := b.read(t, []string{two.ID, gone.ID, one.ID, b.Missing, `x") OR TRUE()`, "", two.ID}, p.Name, p.Phone)
	for n, want := range []string{two.ID, "", one.ID, "", "", "", two.ID} {
		r := got[n]
		if r.Err != nil || r.Merged || r.Gone != (want == "") || r.Record.ID != want {
			t.Errorf("id %d: got %+v, want record %q", n, r, want)
		}
	}
	if f := got[2].Record.Fields; f[p.Name] != "One" || f[p.Phone] == nil || len(f) != 2 {
		t.Errorf("read %v, want the two fields that were asked for", f)
	}
	if _, there := got[0].Record.Fields[p.Phone]; there {
		t.Error("an empty field was answered")
	}
	if none := b.read(t, nil); len(none) != 0 {
		t.Errorf("no ids got %d answers", len(none))
	}
	b.fault(t, map[string]any{"status": 503})
	for n, r := range b.read(t, []string{one.ID, two.ID}) {
		if r.Err == nil || r.Err.Kind != connectors.Transient || r.Gone {
			t.Errorf("id %d while the CRM is away: got %+v, want transient", n, r)
		}
	}
}

// merged makes two people and merges the second into the first.
func (b *bench) merged(t *testing.T) (into, from string) {
	t.Helper()
	people := b.must(t, b.person(1), b.person(2))
	into, from = people[0].ID, people[1].ID
	b.Merge(t, b.url, from, into)
	return into, from
}

func readMerged(t *testing.T, b *bench) {
	into, from := b.merged(t)
	got := b.read(t, []string{from, into, from}, b.People.Name)
	for n, r := range got {
		switch {
		case n == 1:
			if r.Gone || r.Merged || r.Record.ID != into {
				t.Errorf("the one that is left: got %+v", r)
			}
		case b.MergeHides:
			if !r.Gone || r.Merged {
				t.Errorf("id %d: got %+v, want it gone", n, r)
			}
		case !r.Merged || r.Gone || r.Record.ID != into || r.Record.Fields[b.People.Name] != "Name 1":
			t.Errorf("id %d: got %+v, want record %s that it was merged into", n, r, into)
		}
	}
}

func writeMerged(t *testing.T, b *bench) {
	into, from := b.merged(t)
	c := b.person(1)
	c.ID, c.Key = from, nil
	delete(c.Fields, b.People.Key)
	c.Fields[b.People.Name] = "Renamed"
	linked := b.call(1, from)
	linked.Key = nil
	if b.MergeHides {
		// Who asks looks the record up by its keys: they are with the one that is left.
		if e := b.write(t, c)[0].Err; e == nil || e.Kind != connectors.NotFound {
			t.Errorf("update: got %v, want not found", e)
		}
		sameIDs(t, b.find(t, b.by(b.People.Email, "person2@example.com"))[0], into)
		sameIDs(t, b.find(t, b.by(b.People.Phone, "+49309000002"))[0], into)
		return
	}
	if r := b.must(t, c)[0]; r.ID != into || r.Created {
		t.Errorf("update: got %+v, want record %s", r, into)
	}
	both := b.person(1)
	both.ID, both.Key, both.Fields = into, nil, map[string]connectors.Value{b.People.Phone: "+4930901899"}
	for n, r := range b.must(t, both, c) { // one record under two ids
		if r.ID != into {
			t.Errorf("change %d of one record under two ids: got %+v", n, r)
		}
	}
	call := b.must(t, linked)[0]
	again := connectors.Change{Object: b.Calls.Object, ID: call.ID, Links: linked.Links}
	b.must(t, again)
	people := b.records(t, b.People.Object)
	if len(people) != 1 || people[0].Fields[b.People.Name] != "Renamed" {
		t.Errorf("got %v, want the one record, renamed", people)
	}
	links := b.records(t, b.Calls.Object)[0].Links
	if len(links) != 1 || links[0].ID != into {
		t.Errorf("the call is linked to %v, want %s", links, into)
	}
}

// readMany reads a fifth of 10,000 records with a fifth of the requests.
func readMany(t *testing.T, b *bench) {
	const people = 2000
	var changes []connectors.Change
	for n := range people {
		changes = append(changes, b.person(n))
	}
	ids := make([]string, people)
	for n, r := range b.must(t, changes...) {
		ids[n] = r.ID
	}
	before := b.requests(t)
	for n, r := range b.read(t, ids, b.People.Name, b.People.Email) {
		if r.Err != nil || r.Record.ID != ids[n] || r.Record.Fields[b.People.Name] != changes[n].Fields[b.People.Name] {
			t.Fatalf("id %d: got %+v", n, r)
		}
	}
	requests := b.requests(t) - before
	t.Logf("%d requests to read %d records", requests, people)
	if most := b.Read10000 * people / 10_000; requests > most {
		t.Errorf("%d requests to read %d records, want at most %d", requests, people, most)
	}
}

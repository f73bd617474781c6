package connectortest

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// patience is how soon a call must return whose caller gave up: before there is
// an answer, and after whatever else holds up the machine.
const patience = 30 * time.Second

// givenUp has a caller give up while the CRM does not answer.
func givenUp(t *testing.T, b *bench) {
	b.must(t, b.person(0)) // warms what is read once
	b.fault(t, map[string]any{"latency_ms": 60_000, "rate": 1})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	results, err := b.Write(ctx, []connectors.Change{b.person(1)})
	if e := connectors.AsError(err); e == nil && (len(results) != 1 || results[0].Err == nil || results[0].Err.Kind != connectors.Transient && results[0].Err.Kind != connectors.Unknown) {
		t.Errorf("write: got %+v, want an error that is worth another try", results)
	}
	if !b.WriteOnly {
		found, err := b.Find(ctx, []connectors.Match{b.by(b.People.Email, "one@example.com")})
		if err == nil && (len(found) != 1 || found[0].Err == nil || found[0].Err.Kind != connectors.Transient) {
			t.Errorf("find: got %+v, want transient", found)
		}
	}
	if took := time.Since(began); took > patience {
		t.Errorf("it took %v to give up, want at most %v", took, patience)
	}
}

// checks has the account asked for what the other tests write.
func checks(t *testing.T, b *bench) {
	c, ok := b.Connector.(connectors.Checker)
	if !ok {
		t.Fatal("the connector cannot tell what the account takes")
	}
	ctx, p := t.Context(), b.People
	for _, v := range append([]Value{{Field: p.Key, In: "x"}, {Field: p.Email, In: "a@example.com"}, {Field: p.Phone, In: "+4930901820"}}, b.Values...) {
		f, err := c.CheckField(ctx, p.Object, v.Field)
		if err != nil {
			t.Errorf("field %s: %v", v.Field, err)
			continue
		}
		if err := c.CheckValue(ctx, p.Object, f, v.In); err != nil {
			t.Errorf("value of %s: %v", v.Field, err)
		}
	}
	email, _ := c.CheckField(ctx, p.Object, p.Email)
	if err := c.CheckValue(ctx, p.Object, email, "secret word"); err == nil || err.Kind != connectors.Invalid {
		t.Errorf("no e-mail address: got %v, want invalid", err)
	}
	if _, err := c.CheckField(ctx, p.Object, "nothing_like_it"); err == nil || err.Kind != connectors.Invalid {
		t.Errorf("no field: got %v, want invalid", err)
	}
	if err := c.CheckKey(ctx, p.Object, []connectors.Field{email}); err != nil {
		t.Errorf("key: %v", err)
	}
	if err := c.CheckLink(ctx, b.Calls.Object, connectors.Link{Object: p.Object}); err != nil {
		t.Errorf("link: %v", err)
	}
	if n := len(b.records(t, p.Object)); n != 0 {
		t.Errorf("%d records were made by asking", n)
	}
}

// writeGone writes to a record that a person deleted.
func writeGone(t *testing.T, b *bench) {
	p := b.People
	one := b.plant(t, map[string]any{p.Name: "One", p.Email: "one@example.com"})
	b.sandbox(t, http.MethodDelete, "/_/records/"+b.CRM+"/"+url.PathEscape(p.Object)+"/"+one.ID, nil, nil)
	c := connectors.Change{Object: p.Object, ID: one.ID, Fields: map[string]connectors.Value{p.Name: "Two"}}
	results := b.write(t, c, b.person(1))
	if e := results[0].Err; e == nil || e.Kind != connectors.NotFound || results[0].ID != "" {
		t.Errorf("got %+v, want not found", results[0])
	}
	if results[1].Err != nil || len(b.records(t, p.Object)) != 1 {
		t.Errorf("batch mate: got %+v and %d records, want it made alone", results[1], len(b.records(t, p.Object)))
	}
}

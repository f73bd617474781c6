package airtable

import (
	"context"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

// remembering is a connector to the sandbox that read the base a while ago, as
// change says that its table was.
func remembering(t *testing.T, name string, change func(map[string]connectors.Field)) *Connector {
	t.Helper()
	server := httptest.NewServer(sandbox.New(sandbox.Options{Unlimited: true}))
	t.Cleanup(server.Close)
	made, err := New(Config{AccessToken: "x", Base: "appTest0000000000", BaseURL: server.URL + "/airtable", RequestsPerSecond: 100_000}, connectors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := made.(*Connector)
	s, fault := c.schema(t.Context())
	if fault != nil {
		t.Fatal(fault)
	}
	c.schemas.Forget()
	i := slices.IndexFunc(s.tables, func(t table) bool { return t.object.Name == name })
	change(s.tables[i].object.Fields)
	s.at = time.Now().Add(-time.Minute)
	_, _ = c.schemas.Get(t.Context(), "", func(context.Context) (schema, error) { return s, nil })
	return c
}

func TestWhatWasJustAddedToTheBaseIsSeen(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for _, x := range []struct {
		what, table string
		change      func(map[string]connectors.Field)
		write       connectors.Change
	}{
		{"a field", "Calls", func(f map[string]connectors.Field) { delete(f, "Started at") }, connectors.Change{Fields: map[string]connectors.Value{"Started at": at}}},
		{"an option", "Contacts", func(f map[string]connectors.Field) {
			status := f["Status"]
			status.Options = []connectors.Option{{Value: "pending", Label: "pending"}}
			f["Status"] = status
		}, connectors.Change{Fields: map[string]connectors.Value{"Status": "reached"}}},
		{"a link field", "Calls", func(f map[string]connectors.Field) { delete(f, "Contact") },
			connectors.Change{Fields: map[string]connectors.Value{"Call ID": "1"}, Links: []connectors.Link{{Object: "Contacts"}}}},
	} {
		c := remembering(t, x.table, x.change)
		x.write.Object = x.table
		if len(x.write.Links) > 0 {
			person, err := c.Write(t.Context(), []connectors.Change{{Object: "Contacts", Fields: map[string]connectors.Value{"Name": "N"}}})
			if err != nil || person[0].Err != nil {
				t.Fatal(person, err)
			}
			x.write.Links[0].ID = person[0].ID
		}
		r, err := c.Write(t.Context(), []connectors.Change{x.write})
		if err != nil || r[0].Err != nil {
			t.Errorf("%s: got %+v %v, want it written", x.what, r[0], err)
		}
		if v, ok := r[0].Fields["Started at"]; ok && v != at {
			t.Errorf("%s: got back %#v, want the time", x.what, v)
		}
	}
}

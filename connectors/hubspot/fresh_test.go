package hubspot

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

// remembering is a connector to the sandbox that read contacts a while ago, as
// change says that they were.
func remembering(t *testing.T, change func(map[string]connectors.Field)) *Connector {
	t.Helper()
	server := httptest.NewServer(sandbox.New(sandbox.Options{Unlimited: true}))
	t.Cleanup(server.Close)
	made, err := New(Config{AccessToken: "x", BaseURL: server.URL + "/hubspot", RequestsPer10s: 100_000, SearchLag: time.Millisecond}, connectors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := made.(*Connector)
	o, fault := c.object(t.Context(), "contacts")
	if fault != nil {
		t.Fatal(fault)
	}
	c.schemas.Forget()
	change(o.Fields)
	_, _ = c.schemas.Get(t.Context(), "contacts", func(context.Context) (read, error) { return read{o, time.Now().Add(-time.Minute)}, nil })
	return c
}

func TestAPropertyThatWasJustAddedIsWrittenAndFound(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"company", "telli_contact_id", "followercount"} {
		c := remembering(t, func(f map[string]connectors.Field) { delete(f, name) })
		change := connectors.Change{Object: "contacts", Fields: map[string]connectors.Value{"lastname": "N", name: "12"}, Key: connectors.Key{{Field: name, Value: "12"}}}
		found, err := c.Find(t.Context(), []connectors.Match{{Object: "contacts", Keys: []connectors.Key{change.Key}}})
		if err != nil || found[0].Err != nil {
			t.Errorf("find by %s: got %+v %v, want no record and no error", name, found[0], err)
		}
		c = remembering(t, func(f map[string]connectors.Field) { delete(f, name) })
		r, err := c.Write(t.Context(), []connectors.Change{change})
		if err != nil || r[0].Err != nil {
			t.Errorf("%s: got %+v %v, want it written", name, r[0], err)
		}
		if v := r[0].Fields[name]; connectors.Canonical(v) != "12" || name == "followercount" && v != 12 {
			t.Errorf("%s: got back %#v, want 12", name, v)
		}
	}
}

func TestAnOptionThatWasJustAddedIsTaken(t *testing.T) {
	t.Parallel()
	c := remembering(t, func(f map[string]connectors.Field) {
		status := f["telli_status"]
		status.Options = []connectors.Option{{Value: "pending", Label: "Pending"}}
		f["telli_status"] = status
	})
	r, err := c.Write(t.Context(), []connectors.Change{{Object: "contacts", Fields: map[string]connectors.Value{"lastname": "N", "telli_status": "reached"}}})
	if err != nil || r[0].Err != nil {
		t.Errorf("got %+v %v, want the option that the property has by now", r[0], err)
	}
}

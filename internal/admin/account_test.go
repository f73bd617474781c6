package admin_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
)

// ledgerless is an account that notes what it is asked.
type ledgerless struct {
	connectors.Connector
	value connectors.Value
	made  connectors.Field
	asked []connectors.Match
}

var text = connectors.Field{Name: "a", Type: connectors.Select, Options: []connectors.Option{{Value: "x", Label: "X"}}, MaxLength: 7, Unique: true, Upsert: true, Unit: "s", Target: "b"}

var no = &connectors.Error{Kind: connectors.Conflict, Code: "C", Field: "a", Message: "no", IDs: []string{"1"}, Wait: time.Minute, Account: true, Park: true}

func (l *ledgerless) Describe(_ context.Context, objects []string) (connectors.Schema, error) {
	if objects[0] == "bad" {
		return nil, errors.New("away")
	}
	return connectors.Schema{objects[0]: {Name: objects[0], Fields: map[string]connectors.Field{"a": text}}}, nil
}

func (l *ledgerless) Find(_ context.Context, matches []connectors.Match) ([]connectors.Found, error) {
	l.asked = matches
	return []connectors.Found{{Records: []connectors.Record{{ID: "1", Modified: matches[0].Keys[0][0].Value.(time.Time), Fields: map[string]connectors.Value{"c": event.Seconds(3)}}}}, {Err: no}}, nil
}

func (l *ledgerless) CheckField(_ context.Context, object, name string) (connectors.Field, *connectors.Error) {
	if name == "b" {
		return connectors.Field{}, no
	}
	return text, nil
}

func (l *ledgerless) CheckValue(_ context.Context, object string, f connectors.Field, v connectors.Value) *connectors.Error {
	l.value = v
	return nil
}

func (l *ledgerless) CheckKey(_ context.Context, object string, fields []connectors.Field) *connectors.Error {
	if len(fields) != 2 {
		return no
	}
	return nil
}

func (l *ledgerless) CheckLink(_ context.Context, object string, link connectors.Link) *connectors.Error {
	if link != (connectors.Link{Object: "o", Field: "f", Type: "t"}) {
		return no
	}
	return nil
}

func (l *ledgerless) Propose(object string, f connectors.Field) (connectors.Field, string) {
	f.Native = "native"
	return f, "by hand"
}

func (l *ledgerless) CreateField(_ context.Context, object string, f connectors.Field) error {
	l.made = f
	return nil
}

func TestAnAccountIsAskedThroughTheDaemonAsIfItWereHere(t *testing.T) {
	t.Parallel()
	opened, l := 0, &ledgerless{}
	d := &admin.Desk{Accounts: func(name string) (connectors.Connector, error) {
		if name != "crm/1" {
			return nil, errors.New("no such connector")
		}
		opened++
		return l, nil
	}}
	srv := httptest.NewServer(admin.Handler(d, nil))
	t.Cleanup(srv.Close)
	c := admin.NewClient(strings.TrimPrefix(srv.URL, "http://"))
	ctx := t.Context()
	if _, err := c.Account(ctx, "other"); err == nil || !strings.Contains(err.Error(), "no such connector") {
		t.Errorf("of an unknown connector: got %v", err)
	}
	a, err := c.Account(ctx, "crm/1")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := a.Describe(ctx, []string{"o"})
	if diff := cmp.Diff(connectors.Schema{"o": {Name: "o", Fields: map[string]connectors.Field{"a": text}}}, schema); err != nil || diff != "" {
		t.Errorf("describe: %v %s", err, diff)
	}
	if _, err := a.Describe(ctx, []string{"bad"}); err == nil || connectors.AsError(err).Kind != connectors.Transient || !strings.Contains(err.Error(), "away") {
		t.Errorf("describe of an account that is away: got %v", err)
	}
	if f, err := a.CheckField(ctx, "o", "a"); err != nil || !cmp.Equal(f, text) {
		t.Errorf("field: got %+v %v", f, err)
	}
	if _, err := a.CheckField(ctx, "o", "b"); !cmp.Equal(err, no) {
		t.Errorf("an error comes as %+v, want %+v", err, no)
	}
	for _, v := range []connectors.Value{"a", "1", 1, 2.5, true, nil, time.Date(2026, 11, 20, 9, 30, 12, 5, time.UTC), event.Seconds(2.5), []any{"a", 1, event.Seconds(3)}, []any{}} {
		if err := a.CheckValue(ctx, "o", text, v); err != nil || !cmp.Equal(l.value, v) {
			t.Errorf("the value %#v came as %#v, %v", v, l.value, err)
		}
	}
	if err := a.CheckKey(ctx, "o", []connectors.Field{text, text}); err != nil {
		t.Errorf("key: %v", err)
	}
	if err := a.CheckLink(ctx, "o", connectors.Link{Object: "o", Field: "f", Type: "t"}); err != nil {
		t.Errorf("link: %v", err)
	}
	if f, manual := a.Propose("o", text); f.Native != "native" || manual != "by hand" {
		t.Errorf("proposed %+v, %q", f, manual)
	}
	if err := a.CreateField(ctx, "o", text); err != nil || !cmp.Equal(l.made, text) {
		t.Errorf("made %+v, %v", l.made, err)
	}
	if names, err := a.Objects(ctx); err != nil || len(names) != 0 {
		t.Errorf("objects of an account that lists none: %v %v", names, err)
	}
	at := time.Date(2026, 11, 20, 9, 30, 12, 5, time.UTC)
	matches := []connectors.Match{{Object: "o", Keys: []connectors.Key{{{Field: "a", Value: at}, {Field: "b", Value: 7}}}, Read: []string{"c"}}, {Object: "bad"}}
	want := []connectors.Found{{Key: 0, Records: []connectors.Record{{ID: "1", Modified: at, Fields: map[string]connectors.Value{"c": event.Seconds(3)}}}}, {Err: no}}
	if found, err := a.Find(ctx, matches); err != nil || !cmp.Equal(found, want) || !cmp.Equal(l.asked, matches) {
		t.Errorf("records: asked for %v, got %v, %v", l.asked, cmp.Diff(want, found), err)
	}
	if _, err := a.Write(ctx, nil); err == nil {
		t.Error("records were written by way of the daemon")
	}
	if opened != 1 {
		t.Errorf("the account was opened %d times, want once", opened)
	}
	if _, err := c.Account(ctx, "crm/1"); err != nil || opened != 2 {
		t.Errorf("asked anew it was opened %d times, %v", opened, err)
	}
}

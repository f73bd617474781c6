package connectortest

import (
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// both gives the error of a write and, where there is such a thing, of a find.
func (b *bench) both(t *testing.T) []*connectors.Error {
	t.Helper()
	errs := []*connectors.Error{b.write(t, b.person(1))[0].Err}
	if !b.WriteOnly {
		errs = append(errs, b.find(t, b.by(b.People.Email, "one@example.com"))[0].Err)
	}
	return errs
}

func refused401(t *testing.T, b *bench) {
	b.must(t, b.person(0))
	b.fault(t, map[string]any{"status": 401})
	for _, e := range b.both(t) {
		if e == nil || e.Kind != connectors.Auth || !e.Account {
			t.Errorf("got %+v, want auth of the account", e)
		}
	}
}

func refused429(t *testing.T, b *bench) {
	b.must(t, b.person(0))
	b.fault(t, map[string]any{"status": 429, "retry_after": 3600})
	e := b.write(t, b.person(1))[0].Err
	if e == nil || e.Kind != connectors.RateLimited || !e.Account || e.Wait.Hours() < 1 {
		t.Errorf("got %+v, want a rate limit of the account with the wait that was said", e)
	}
}

func refused503(t *testing.T, b *bench) {
	b.must(t, b.person(0))
	b.fault(t, map[string]any{"status": 503})
	for _, e := range b.both(t) {
		if e == nil || e.Kind != connectors.Transient || e.Account {
			t.Errorf("got %+v, want transient", e)
		}
	}
	b.noFaults(t)
	b.fault(t, map[string]any{"status": 503, "times": 1})
	b.must(t, b.person(1)) // one is tried again at once
}

func refused500(t *testing.T, b *bench) {
	b.must(t, b.person(0), b.call(0, ""))
	b.fault(t, map[string]any{"status": 500})
	want := connectors.Transient
	if b.NoUpsert {
		want = connectors.Unknown
	}
	if e := b.write(t, b.person(1))[0].Err; e == nil || e.Kind != want {
		t.Errorf("by key: got %v, want %v", e, want)
	}
	create := b.call(1, "")
	create.Key = nil
	if e := b.write(t, create)[0].Err; e == nil || e.Kind != connectors.Unknown {
		t.Errorf("create: got %v, want unknown", e)
	}
}

func secrets(t *testing.T, b *bench) {
	const phrase = "the patient said"
	b.must(t, b.person(0))
	words := []string{Secret, phrase, "person1@", "9000001"}
	look := func(where, text string) {
		for _, w := range words {
			if strings.Contains(text, w) {
				t.Errorf("%s: %q holds %q", where, text, w)
			}
		}
	}
	bad := b.person(1)
	bad.Fields[b.People.Name] = phrase
	for _, fault := range []map[string]any{
		{"status": 400}, {"status": 401}, {"status": 403}, {"status": 404}, {"status": 409}, {"status": 413}, {"status": 422}, {"status": 500}, {"status": 502},
		{"lost_reply": true},
		{"status": 400, "body": `<p>the patient said person1@example.com ` + Secret + `</p>`},
		{"status": 422, "body": map[string]any{"error": map[string]any{"type": "X", "message": phrase + ` field 'person1@example.com'`}, "message": phrase}},
		{"status": 429, "retry_after": 3600}, // the last one: it pauses the account
	} {
		b.noFaults(t)
		b.fault(t, fault)
		errs := []*connectors.Error{b.write(t, bad)[0].Err}
		if fault["status"] != 429 { // which pauses the account
			errs = append(errs, b.both(t)...)
		}
		for _, e := range errs {
			if e == nil {
				t.Errorf("fault %v went unseen", fault)
				continue
			}
			for err := error(e); err != nil; {
				look("error", err.Error())
				u, ok := err.(interface{ Unwrap() error })
				if !ok {
					break
				}
				err = u.Unwrap()
			}
		}
	}
	look("log", b.logs.String())
}

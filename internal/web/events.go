package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// perPage are the entries on a page of a list.
const perPage = 50

// eventStates are those that events can be listed by.
var eventStates = []store.State{store.Waiting, store.Done, store.Unmatched, store.Quarantined, store.Dead, store.Discarded}

// events lists events, newest first.
func (p *Pages) events(r *http.Request) (*view, error) {
	q := r.URL.Query()
	if id := strings.TrimSpace(q.Get("id")); id != "" {
		return p.show(r, id)
	}
	f := store.EventFilter{State: store.State(q.Get("state")), Source: q.Get("source"), Type: event.Type(q.Get("type")), Limit: perPage}
	if f.State != "" && !slices.Contains(eventStates, f.State) || f.Type != "" && !slices.Contains(event.Types, f.Type) {
		return nil, wrong{errors.New("there is no such state or type")}
	}
	zone, err := time.LoadLocation(q.Get("zone"))
	if err != nil || q.Get("zone") == "" {
		zone = time.Local
	}
	for _, x := range []struct {
		name string
		to   *time.Time
	}{{"since", &f.Since}, {"until", &f.Until}} {
		if *x.to, err = admin.ParseTime(strings.TrimSpace(q.Get(x.name)), time.Now(), zone); err != nil {
			return nil, wrong{err}
		}
	}
	if f.Before, err = before(q); err != nil {
		return nil, err
	}
	list, err := p.desk.Events(r.Context(), f)
	if err != nil {
		return nil, err
	}
	status, err := p.desk.Status(r.Context())
	if err != nil {
		return nil, err
	}
	body := struct {
		Query   url.Values
		List    []admin.Event
		Sources []string
		Types   []event.Type
		States  []store.State
		Zone    string
		Older   string // address of the next page
	}{Query: q, List: list, Types: event.Types, States: eventStates, Zone: zone.String()}
	for _, s := range status.Sources {
		body.Sources = append(body.Sources, s.Name)
	}
	if n := len(list); n == perPage {
		body.Older = older(r, list[n-1].ID)
	}
	v := &view{page: "events", Title: "Events", Nav: "/events", Said: said(q), Body: body}
	if f == (store.EventFilter{Limit: perPage}) { // what is filtered may take its time
		v.Live = 15
	}
	return v, nil
}

// before reads from which event on a list is to be shown.
func before(q url.Values) (uint64, error) {
	if q.Get("before") == "" {
		return 0, nil
	}
	seq, err := store.ParseEventID(q.Get("before"))
	if err != nil {
		return 0, wrong{err}
	}
	return seq, nil
}

// older is the address of a list from an entry on.
func older(r *http.Request, before string) string {
	q := r.URL.Query()
	q.Del("did")
	q.Del("n")
	q.Set("before", before)
	return r.URL.Path + "?" + q.Encode()
}

// event shows an event with what became of it, values masked.
func (p *Pages) event(r *http.Request) (*view, error) {
	return p.show(r, r.PathValue("id"))
}

func (p *Pages) find(r *http.Request, id string) (admin.Event, error) {
	seq, err := store.ParseEventID(id)
	if err != nil {
		return admin.Event{}, wrong{err}
	}
	return p.desk.Event(r.Context(), seq)
}

func (p *Pages) show(r *http.Request, id string) (*view, error) {
	e, err := p.find(r, id)
	if err != nil {
		return nil, err
	}
	v := showEvent(e, false)
	v.Said = said(r.URL.Query())
	if e.State == store.Waiting {
		v.Live = 5
	}
	return v, nil
}

// values shows an event with what it says of people, once the audit trail has
// it that somebody looks.
func (p *Pages) values(r *http.Request) (*view, error) {
	e, err := p.find(r, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if err := p.desk.Note(r.Context(), admin.ShowValues, []string{e.ID}); err != nil {
		return nil, fmt.Errorf("values are shown only when the audit trail can be written: %w", err)
	}
	return showEvent(e, true), nil
}

// field is one value of an event.
type field struct {
	Path, Doc, Value string
	At               time.Time // in place of Value, if it is a time
}

func showEvent(e admin.Event, shown bool) *view {
	body := struct {
		admin.Event
		Shown   bool
		Fields  []field
		Payload string
		Bytes   int64
	}{Event: e, Shown: shown, Fields: fields(event.Model(), e.Values(), shown), Bytes: int64(len(e.Raw))}
	if shown && len(e.Raw) > 0 {
		body.Payload = string(e.Raw)
		if pretty, err := json.MarshalIndent(e.Raw, "", "  "); err == nil {
			body.Payload = string(pretty)
		}
	}
	return &view{page: "event", Title: e.ID, Nav: "/events", Body: body}
}

// fields are the values of an event in the order of the model.
func fields(model []event.Field, values map[string]any, shown bool) (out []field) {
	for _, m := range model {
		v, ok := values[m.Name]
		if !ok || m.Path == "raw" || m.Path == "event" { // what the event is stands above
			continue
		}
		if sub, ok := v.(map[string]any); ok && m.Kind == event.Object {
			out = append(out, fields(m.Fields, sub, shown)...)
			continue
		}
		f := field{Path: m.Path, Doc: m.Doc, Value: mapping.Masked}
		if shown || !mapping.Personal(m.Path) {
			f.At, _ = v.(time.Time)
			f.Value = written(v)
		}
		out = append(out, f)
	}
	return out
}

// written writes a value of the model.
func written(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case time.Time:
		return "" // field.At
	case event.Seconds:
		return time.Duration(float64(v) * float64(time.Second)).Round(time.Second).String()
	}
	text, err := json.Marshal(v)
	return cmp.Or(string(text), fmt.Sprint(err))
}

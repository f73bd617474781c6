package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

// deliveryStates are those that deliveries can be listed by, in the order in
// which they want a person.
var deliveryStates = []store.State{store.Dead, store.Waiting, store.Done, store.Discarded}

// deliveries lists deliveries of a state, dead ones unless another is asked for.
func (p *Pages) deliveries(r *http.Request) (*view, error) {
	q := r.URL.Query()
	f := store.DeliveryFilter{State: store.State(q.Get("state")), Connector: q.Get("connector"), Limit: perPage}
	if f.State == "" {
		f.State = store.Dead
	}
	if !slices.Contains(deliveryStates, f.State) {
		return nil, wrong{errors.New("there is no such state")}
	}
	var err error
	if f.Before, err = before(q); err != nil {
		return nil, err
	}
	list, err := p.desk.Deliveries(r.Context(), f)
	if err != nil {
		return nil, err
	}
	status, err := p.desk.Status(r.Context())
	if err != nil {
		return nil, err
	}
	body := struct {
		Query      url.Values
		State      store.State
		States     []store.State
		Counts     map[store.State]uint64
		Connectors []string
		List       []admin.Delivery
		Held       map[string]time.Time // when connectors that are held up are tried again
		Older      string
	}{Query: q, State: f.State, States: deliveryStates, Counts: map[store.State]uint64{}, List: list, Held: map[string]time.Time{}}
	for _, c := range status.Connectors {
		body.Held[c.Name] = c.Until
		body.Connectors = append(body.Connectors, c.Name)
		if f.Connector == "" || f.Connector == c.Name {
			body.Counts[store.Dead] += c.Dead
			body.Counts[store.Waiting] += c.Waiting
			body.Counts[store.Done] += c.Done
		}
	}
	if n := len(list); n > 0 {
		// A page may be shorter than the limit though there are more.
		last := list[n-1].Event
		if f.Before, err = store.ParseEventID(last); err != nil {
			return nil, err
		}
		f.Limit = 1
		more, err := p.desk.Deliveries(r.Context(), f)
		if err != nil {
			return nil, err
		}
		if len(more) > 0 {
			body.Older = older(r, last)
		}
	}
	v := &view{page: "deliveries", Title: "Deliveries", Nav: "/deliveries", Said: said(q), Body: body}
	if q.Get("before") == "" && (f.State == store.Dead || f.State == store.Waiting) { // those few are found at once
		v.Live = 15
	}
	return v, nil
}

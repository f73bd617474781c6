package hubspot

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// The types of links that lead on from the record that they name.
const (
	itsCompany   = "$company"    // to its company: the primary one, else the only one
	itsOpenDeals = "$open_deals" // to its deals that are not closed
)

// related replaces links that lead on by links to where they lead. That there
// is no company or no open deal is nothing wrong.
func (c *Connector) related(ctx context.Context, ties []tie) []tie {
	var out []tie
	on := map[road][]tie{}
	var roads []road
	for _, t := range ties {
		if !strings.HasPrefix(t.link.Type, "$") {
			out = append(out, t)
			continue
		}
		r := road{from: t.link.Object, label: t.link.Type}
		if on[r] == nil {
			roads = append(roads, r)
		}
		on[r] = append(on[r], t)
	}
	for _, r := range roads {
		out = append(out, c.leadOn(ctx, r, on[r])...)
	}
	return out
}

// leadOn follows links of one kind.
func (c *Connector) leadOn(ctx context.Context, r road, ties []tie) (out []tie) {
	var err *connectors.Error
	targets := map[string][]string{}
	switch r.label {
	case itsCompany:
		r.to = "companies"
		err = c.linkedTo(ctx, r, ties, func(l wireLinked) { targets[l.From.ID] = mainOf(l) })
	case itsOpenDeals:
		r.to = "deals"
		err = c.linkedTo(ctx, r, ties, func(l wireLinked) {
			for _, to := range l.To {
				targets[l.From.ID] = append(targets[l.From.ID], string(to.ID))
			}
		})
		if err == nil {
			err = c.keepOpen(ctx, targets)
		}
	default:
		err = noWay(r.label)
	}
	for _, t := range ties {
		if err != nil {
			t.fail(err)
			continue
		}
		for _, id := range targets[t.link.ID] {
			out = append(out, tie{t.item, connectors.Link{Object: r.to, ID: id}})
		}
	}
	return out
}

// noWay is the error about a type that leads nowhere.
func noWay(label string) *connectors.Error {
	return &connectors.Error{Kind: connectors.Invalid, Code: "NO_SUCH_LABEL", Message: "there is no type " + label + "; known are " + itsCompany + " and " + itsOpenDeals}
}

// linkedTo reads what the ties' targets are associated with.
func (c *Connector) linkedTo(ctx context.Context, r road, ties []tie, hit func(wireLinked)) *connectors.Error {
	if err := c.reachable(ctx, r.from); err != nil {
		return err
	}
	var ids []string
	for _, t := range ties {
		if !slices.Contains(ids, t.link.ID) {
			ids = append(ids, t.link.ID)
		}
	}
	for _, part := range connectors.Chunks(ids, linkBatch) {
		var body struct {
			Inputs []wireRef `json:"inputs"`
		}
		for _, id := range part {
			body.Inputs = append(body.Inputs, wireRef{id})
		}
		var answer struct {
			Results []wireLinked `json:"results"` // those that have none are among errors
		}
		q := httpx.Request{Method: http.MethodPost, Path: c.linkPath(r.from, r.to, "/batch/read"), Body: body, Repeatable: true}
		if err := c.call(ctx, q, &answer); err != nil {
			return err
		}
		for _, l := range answer.Results {
			hit(l)
		}
	}
	return nil
}

// mainOf is the primary one of what a record is linked to, else the only one.
func mainOf(l wireLinked) []string {
	for _, to := range l.To {
		if slices.ContainsFunc(to.Types, func(t wireLabel) bool { return strings.EqualFold(t.Label, primary) }) {
			return []string{string(to.ID)}
		}
	}
	if len(l.To) == 1 {
		return []string{string(l.To[0].ID)}
	}
	return nil
}

// keepOpen leaves the deals that are not closed.
func (c *Connector) keepOpen(ctx context.Context, targets map[string][]string) *connectors.Error {
	var ids []string
	for _, list := range targets {
		ids = append(ids, list...)
	}
	open := map[string]bool{}
	for _, part := range connectors.Chunks(distinct(ids), Batch) {
		body := struct {
			Inputs     []wireRef `json:"inputs"`
			Properties []string  `json:"properties"`
			History    []string  `json:"propertiesWithHistory"`
		}{Properties: []string{"hs_is_closed"}, History: []string{}}
		for _, id := range part {
			body.Inputs = append(body.Inputs, wireRef{id})
		}
		var answer wireBatch
		q := httpx.Request{Method: http.MethodPost, Path: c.objectPath("deals", "/batch/read"), Body: body, Repeatable: true}
		if err := c.call(ctx, q, &answer); err != nil {
			return err
		}
		for _, r := range answer.Results {
			open[r.ID] = r.text("hs_is_closed") != "true"
		}
	}
	for from, list := range targets {
		targets[from] = slices.DeleteFunc(list, func(id string) bool { return !open[id] })
	}
	return nil
}

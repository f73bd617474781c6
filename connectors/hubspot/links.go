package hubspot

import (
	"context"
	"net/http"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// tie is one link of a written record.
type tie struct {
	item *item
	link connectors.Link
}

// road is what ties of one request share.
type road struct {
	from, to, label string
}

// link ties all records of one Write in one pass. Associating twice is the same
// as once, so everything here is safe to repeat.
func (c *Connector) link(ctx context.Context, items []*item) {
	var all []tie
	for _, i := range items {
		if i.result.ID == "" || i.result.Err != nil {
			continue
		}
		for _, l := range i.change.Links {
			all = append(all, tie{i, l})
		}
	}
	var roads []road
	ties := map[road][]tie{}
	for _, t := range c.related(ctx, all) {
		r := road{t.item.change.Object, t.link.Object, t.link.Type}
		if ties[r] == nil {
			roads = append(roads, r)
		}
		ties[r] = append(ties[r], t)
	}
	for _, r := range roads {
		c.linkAlong(ctx, r, ties[r])
	}
}

func (c *Connector) linkAlong(ctx context.Context, r road, ties []tie) {
	refused := func(t tie, err *connectors.Error) { t.fail(err) }
	if err := c.reachable(ctx, r.to); err != nil {
		for _, t := range ties {
			t.fail(err)
		}
		return
	}
	path, types := "/batch/associate/default", []wireType(nil)
	if r.label != "" {
		lt, err := c.linkType(ctx, r.from, r.to, r.label)
		if err != nil {
			for _, t := range ties {
				t.fail(err)
			}
			return
		}
		path, types = "/batch/create", []wireType{lt}
	}
	send := func(ctx context.Context, part []tie) *connectors.Error {
		var body struct {
			Inputs []wirePair `json:"inputs"`
		}
		for _, t := range part {
			body.Inputs = append(body.Inputs, wirePair{wireRef{t.item.result.ID}, wireRef{t.link.ID}, types})
		}
		var answer wireLinks
		q := httpx.Request{Method: http.MethodPost, Path: c.linkPath(r.from, r.to, path), Body: body, Repeatable: true}
		if err := c.call(ctx, q, &answer); err != nil {
			return err
		}
		for _, e := range answer.Errors {
			from, to := first(e.Context["fromObjectId"]), first(e.Context["toObjectId"])
			err := classifyInput(e)
			if from == "" && to == "" && len(part) > 1 {
				// It does not say whose it is: tie them one by one.
				return &connectors.Error{Kind: connectors.Invalid, Code: err.Code, Message: err.Message}
			}
			for _, t := range part {
				if (from == "" || from == t.item.result.ID) && (to == "" || to == t.link.ID) {
					t.fail(err)
				}
			}
		}
		return nil
	}
	for _, part := range connectors.Chunks(ties, linkBatch) {
		connectors.Isolate(ctx, part, send, refused)
	}
}

// fail tells of a link that is not there; the record itself was written.
func (t tie) fail(err *connectors.Error) {
	own := *err
	own.Message = "the record was written, but not linked to " + t.link.Object + ": " + err.Message
	if own.Kind == connectors.NotFound {
		// The other record is gone, not this one.
		own.Kind, own.Code, own.IDs = connectors.Invalid, "LINK_TARGET_GONE", []string{t.link.ID}
	}
	t.item.result.Err = &own
}

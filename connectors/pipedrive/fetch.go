package pipedrive

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const (
	idsPage = 100 // ids of one list request (OpenAPI, 2026-11)
	// listFrom is from how many records on a list by ids (10 tokens) is no
	// dearer than reading each (1 token).
	listFrom = 10
)

var (
	uuid   = regexp.MustCompile(`^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$`)
	callID = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
)

// names tells whether a text can be the id of such a record.
func (k *kind) names(id string) bool {
	switch k.name {
	case "leads":
		return uuid.MatchString(id)
	case "callLogs":
		return callID.MatchString(id)
	}
	return digits(id)
}

// fetchLevel reads records by their ids. One that is missing is no error.
func (c *Connector) fetchLevel(ctx context.Context, s read, level int, wants []*want) {
	var ids []string
	byID := map[string][]*want{}
	for _, w := range wants {
		for _, t := range w.keys[level] {
			if t.id {
				if byID[t.norm] == nil {
					ids = append(ids, t.norm)
				}
				byID[t.norm] = append(byID[t.norm], w)
				break
			}
		}
	}
	c.fetch(ctx, s, ids, func(id string, r wireRecord, err *connectors.Error) {
		for _, w := range byID[id] {
			switch {
			case err != nil:
				w.fail(err)
			case r != nil && c.holds(s.kind, w.keys[level], r):
				w.hit(level, r)
			}
		}
	})
}

// fetch reads records by their ids, in the cheaper of two ways, and calls got
// once for each, never twice at a time: with nil if there is none.
func (c *Connector) fetch(ctx context.Context, s read, ids []string, got func(id string, r wireRecord, err *connectors.Error)) {
	var fit []string
	for _, id := range ids {
		if !s.kind.names(id) {
			got(id, nil, nil) // an id of another system
			continue
		}
		fit = append(fit, id)
	}
	type answer struct {
		id     string
		record wireRecord
		err    *connectors.Error
	}
	if len(fit) < listFrom || s.kind.old() {
		answers := make([]answer, len(fit))
		places := make([]int, len(fit))
		for n := range fit {
			places[n] = n
		}
		connectors.Parallel(places, width, func(n int) {
			var one wireOne
			err := c.call(ctx, httpx.Request{Method: http.MethodGet, Path: s.kind.path + "/" + url.PathEscape(fit[n]), Repeatable: true}, &one)
			if err != nil && (err.Kind == connectors.NotFound || err.Kind == connectors.Invalid) {
				err, one.Data = nil, nil
			}
			if one.Data.gone() {
				one.Data = nil
			}
			answers[n] = answer{fit[n], one.Data, err}
		})
		for _, a := range answers {
			got(a.id, a.record, a.err)
		}
		return
	}
	parts := connectors.Chunks(fit, idsPage)
	answers := make([][]answer, len(parts))
	places := make([]int, len(parts))
	for n := range parts {
		places[n] = n
	}
	connectors.Parallel(places, width, func(n int) {
		var page wirePage
		q := url.Values{"ids": {strings.Join(parts[n], ",")}, "limit": {"500"}}
		err := c.call(ctx, httpx.Request{Method: http.MethodGet, Path: s.kind.path, Query: q, Repeatable: true}, &page)
		byID := map[string]wireRecord{}
		for _, r := range page.Data {
			if !r.gone() {
				byID[r.id()] = r
			}
		}
		for _, id := range parts[n] {
			answers[n] = append(answers[n], answer{id, byID[id], err})
		}
	})
	for _, a := range slices.Concat(answers...) {
		got(a.id, a.record, a.err)
	}
}

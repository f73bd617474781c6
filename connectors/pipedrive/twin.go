package pipedrive

import (
	"context"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const (
	// twinMargin is how far Pipedrive's clock may be behind ours.
	twinMargin = time.Minute
	// twinPages bounds the list of what changed since a lost request.
	twinPages = 40
)

// lookForTwins finds what an earlier attempt with an unknown outcome may have
// made: Pipedrive itself prevents no second record. It reads the list of what
// changed since, which comes from the database and costs less than a search
// of the index. What is found is updated instead of created.
func (c *Connector) lookForTwins(ctx context.Context, items []*item) {
	var order []string
	lost := map[string][]*item{}
	for _, i := range items {
		if i.done || i.id != "" {
			continue
		}
		if i.change.Attempted.IsZero() {
			if c.lookFirst {
				c.lookAtPerson(ctx, i)
			}
			continue
		}
		// Before this the request may still be under way.
		if wait := httpx.Clock.Until(i.change.Attempted, c.lag); wait > 0 {
			i.fail(&connectors.Error{Kind: connectors.Transient, Code: "SEARCH_LAG", Wait: wait,
				Message: "an earlier attempt may have made the record; Pipedrive must list it first"})
			continue
		}
		name := i.shape.kind.name
		if lost[name] == nil {
			order = append(order, name)
		}
		lost[name] = append(lost[name], i)
	}
	for _, name := range order {
		c.lookInList(ctx, lost[name])
	}
}

// lookInList finds several records of one object with one list.
func (c *Connector) lookInList(ctx context.Context, lost []*item) {
	k := lost[0].shape.kind
	since := slices.MinFunc(lost, func(a, b *item) int { return a.change.Attempted.Compare(b.change.Attempted) }).change.Attempted
	q := url.Values{"updated_since": {since.Add(-twinMargin).UTC().Format(time.RFC3339)}}
	most := twinPages
	if k.name == "callLogs" { // which are listed without an age, and only one's own
		q, most = url.Values{}, 4
	}
	twins := make([]*twin, len(lost))
	codes := map[string]bool{}
	for n, i := range lost {
		twins[n] = c.twinOf(ctx, i)
		for at := range i.values {
			codes[at] = true
		}
		for _, t := range twins[n].key {
			codes[code(t.field)] = true
		}
	}
	q = lost[0].shape.narrow(q, codes)
	ended := false
	_, err := c.list(ctx, k, q, most, &ended, func(r wireRecord) {
		for _, t := range twins {
			t.compare(c, r)
		}
	})
	if err == nil && !ended {
		err = &connectors.Error{Kind: connectors.Unknown, Code: connectors.CodeTooMany, Message: "too much was changed since an earlier attempt to find what it made"}
	}
	taken := map[string]bool{}
	for _, t := range twins {
		t.settle(err, taken)
	}
}

// lookAtPerson looks for a record of an object without search among all of the
// person whom it is linked to.
func (c *Connector) lookAtPerson(ctx context.Context, i *item) {
	k := i.shape.kind
	person := ""
	for _, l := range i.change.Links {
		if to := kindOf(l.Object); to != nil && to.name == "persons" {
			person = l.ID
			break
		}
	}
	if k.searchable() || k.name == "callLogs" || person == "" {
		return
	}
	t := c.twinOf(ctx, i)
	if t.key == nil && len(t.all) == 0 {
		return
	}
	ended := false
	_, err := c.list(ctx, k, url.Values{"person_id": {person}}, twinPages, &ended, func(r wireRecord) { t.compare(c, r) })
	t.settle(err, map[string]bool{})
}

// twin is what is looked for: by the key if there is one, else by all values.
type twin struct {
	item  *item
	key   []term
	all   map[string]any
	found []wireRecord
}

func (c *Connector) twinOf(ctx context.Context, i *item) *twin {
	t := &twin{item: i}
	for _, k := range i.change.Key {
		one, ok, err := c.term(ctx, i.change.Object, k)
		if err != nil || !ok || one.id {
			t.key = nil
			break
		}
		t.key = append(t.key, one)
	}
	if t.key != nil {
		return t
	}
	t.all = map[string]any{}
	for name, v := range i.values {
		if v != nil {
			t.all[name] = v
		}
	}
	return t
}

func (t *twin) compare(c *Connector, r wireRecord) {
	k := t.item.shape.kind
	if t.key != nil {
		if c.holds(k, t.key, r) {
			t.found = append(t.found, r)
		}
		return
	}
	for name, want := range t.all {
		f, _ := pick(t.item.shape.object, name)
		if f.Type == connectors.HTML { // which Pipedrive may tidy
			a, _ := want.(string)
			b, _ := held(k, f, r).(string)
			if bare(a) != bare(b) {
				return
			}
			continue
		}
		norms := c.norms(f, want)
		have := c.values(k, f, r)
		for _, n := range norms {
			if !slices.Contains(have, n) {
				return
			}
		}
	}
	if r.shows(participants) {
		for _, id := range t.item.people {
			if !slices.ContainsFunc(attending(r), func(p participant) bool { return p.Person.String() == id }) {
				return
			}
		}
	}
	t.found = append(t.found, r)
}

var tags = regexp.MustCompile(`<[^>]*>`)

// bare is the text of HTML, without what a tidier may change.
func bare(s string) string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(s, " "))), " ")
}

// settle decides what the item does. Without a key, equal records cannot be
// told apart: each lost attempt takes another one, the oldest first.
func (t *twin) settle(err *connectors.Error, taken map[string]bool) {
	i := t.item
	if t.key == nil {
		free := slices.DeleteFunc(t.found, func(r wireRecord) bool { return taken[r.id()] || i.change.OfOther(r.id()) })
		slices.SortStableFunc(free, func(a, b wireRecord) int { return a.time("add_time").Compare(b.time("add_time")) })
		t.found = free[:min(1, len(free))]
	}
	switch {
	case err != nil && len(t.found) == 0:
		i.fail(err)
	case t.key == nil && len(t.all) == 0:
		i.fail(&connectors.Error{Kind: connectors.Unknown, Code: connectors.CodeNoKey,
			Message: "an earlier attempt may have made the record, and it has no value by which to find it; give it a match"})
	case len(t.found) > 1:
		var records []connectors.Record
		for _, r := range t.found {
			records = append(records, connectors.Record{ID: r.id()})
		}
		i.fail(ambiguous(records))
	case len(t.found) == 1:
		i.id, i.before = t.found[0].id(), t.found[0]
		taken[i.id] = true
		if i.shape.kind.update == "" { // a call log stands as it is
			i.done, i.result.ID = true, i.id
		}
	case i.shape.kind.name == "callLogs" && i.values["user_id"] != nil:
		i.fail(&connectors.Error{Kind: connectors.Invalid, Code: connectors.CodeUnseen,
			Message: "an earlier attempt may have made the call log, and Pipedrive lists only those of the API token's user; look there, then discard the delivery or make the log by hand"})
	}
}

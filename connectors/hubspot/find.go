package hubspot

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// probe is one key of one match that is looked for.
type probe struct {
	match connectors.Match
	key   connectors.Key
	level int
	found *connectors.Found
	texts []string // the key's values as HubSpot would hold them, one per term
}

func (p *probe) fail(err *connectors.Error) {
	if p.found.Err == nil && len(p.found.Records) == 0 {
		p.found.Err = err
	}
}

// hit adds a record, once.
func (p *probe) hit(o connectors.Object, r wireRecord) {
	p.found.Key = p.level
	if !slices.ContainsFunc(p.found.Records, func(x connectors.Record) bool { return x.ID == r.ID }) {
		p.found.Records = append(p.found.Records, record(o, r, p.match.Read))
	}
}

// way is how keys can be looked for.
type way int

const (
	byID     way = iota
	byUnique     // read directly, never behind the search index
	byPhone
	bySearch
	byTerms // composite keys
)

// bucket is probes that share their requests.
type bucket struct {
	way    way
	object string
	fields string // names of the key's fields
	schema connectors.Object
	probes []probe
}

// probe looks for all keys of one level.
func (c *Connector) probe(ctx context.Context, probes []probe) {
	type place struct {
		object, fields string
	}
	index := map[place]int{}
	var buckets []bucket
	for _, p := range probes {
		names := make([]string, len(p.key))
		for i, t := range p.key {
			names[i] = t.Field
		}
		at := place{p.match.Object, strings.Join(names, "\x00")}
		i, ok := index[at]
		if !ok {
			i = len(buckets)
			index[at] = i
			buckets = append(buckets, bucket{object: at.object, fields: at.fields})
		}
		buckets[i].probes = append(buckets[i].probes, p)
	}
	connectors.Parallel(buckets, width, func(b bucket) { c.look(ctx, b) })
}

// look chooses the way for a bucket and goes it.
func (c *Connector) look(ctx context.Context, b bucket) {
	if err := c.ready(ctx, &b); err != nil {
		for i := range b.probes {
			b.probes[i].fail(err)
		}
		return
	}
	switch b.way {
	case byID, byUnique:
		byText := map[string][]*probe{}
		var texts []string
		for i := range b.probes {
			text := strings.ToLower(b.probes[i].texts[0])
			if byText[text] == nil {
				texts = append(texts, text)
			}
			byText[text] = append(byText[text], &b.probes[i])
		}
		read := func(ctx context.Context, part []string) *connectors.Error { return c.readBatch(ctx, b, part, byText) }
		refused := func(text string, err *connectors.Error) {
			for _, p := range byText[text] {
				p.fail(err)
			}
		}
		connectors.Parallel(connectors.Chunks(texts, Batch), width, func(part []string) { connectors.Isolate(ctx, part, read, refused) })
	case byPhone:
		c.searchPhones(ctx, b)
	case bySearch:
		c.searchValues(ctx, b)
	case byTerms:
		c.searchTerms(ctx, b)
	}
}

// ready reads the schema, makes the keys' values right, drops probes whose
// value cannot be there, and chooses the way.
func (c *Connector) ready(ctx context.Context, b *bucket) *connectors.Error {
	names := strings.Split(b.fields, "\x00")
	if len(b.probes[0].key) == 0 {
		b.probes = nil
		return nil
	}
	var err *connectors.Error
	fields := make([]connectors.Field, len(names))
	for i, name := range names {
		if name == connectors.ID {
			fields[i] = connectors.Field{Name: "hs_object_id", Type: connectors.Text}
			continue
		}
		if fields[i], err = c.field(ctx, b.object, name); err != nil {
			return err
		}
	}
	// Behind the fields: for one that is new the schema was read again.
	if b.schema, err = c.object(ctx, b.object); err != nil {
		return err
	}
	switch f := fields[0]; {
	case len(fields) > 1:
		b.way = byTerms
	case names[0] == connectors.ID || f.Name == "hs_object_id":
		b.way = byID
	case f.Unique, f.Name == "email" && isContacts(b.object):
		b.way = byUnique
	case f.Type == connectors.Phone:
		b.way = byPhone
	default:
		b.way = bySearch
	}
	var kept []probe
	for _, p := range b.probes {
		if c.values(ctx, b.object, &p, fields, b.way) {
			kept = append(kept, p)
		}
	}
	b.probes = kept
	return nil
}

// values fills the probe's texts; false if nothing can have them.
func (c *Connector) values(ctx context.Context, object string, p *probe, fields []connectors.Field, w way) bool {
	for i, t := range p.key {
		text, _, skip, err := c.encode(ctx, object, fields[i], t.Value)
		text = strings.TrimSpace(text)
		if err != nil {
			p.fail(err)
			return false
		}
		if skip || text == "" || w == byID && !isID(text) {
			return false
		}
		p.texts = append(p.texts, text)
	}
	return true
}

// isID tells whether a text may be the id of a record: HubSpot refuses a whole
// request for one that is too large.
func isID(text string) bool {
	_, err := strconv.ParseUint(text, 10, 63)
	return err == nil
}

// properties are what must be read for the probes: what was asked and what
// tells whose record it is.
func properties(probes []probe, more ...string) []string {
	names := more
	for _, p := range probes {
		names = append(names, p.match.Read...)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == connectors.ID || n == "" })
}

// readBatch reads records directly by id or unique property. One that is
// missing is no error. byText holds the probes by value, in lower case.
func (c *Connector) readBatch(ctx context.Context, b bucket, part []string, byText map[string][]*probe) *connectors.Error {
	field := b.probes[0].key[0].Field
	body := struct {
		Inputs     []wireRef `json:"inputs"`
		IDProperty string    `json:"idProperty,omitempty"`
		Properties []string  `json:"properties"`
		History    []string  `json:"propertiesWithHistory"`
	}{History: []string{}}
	more := []string{}
	switch {
	case b.way == byID:
		more = append(more, "hs_merged_object_ids", "hs_calculated_merged_vids")
	case field == "email":
		body.IDProperty = field
		more = append(more, field, "hs_additional_emails")
	default:
		body.IDProperty = field
		more = append(more, field)
	}
	body.Properties = properties(b.probes, more...)
	for _, text := range part {
		body.Inputs = append(body.Inputs, wireRef{byText[text][0].texts[0]})
	}
	var answer wireBatch
	q := httpx.Request{Method: http.MethodPost, Path: c.objectPath(b.object, "/batch/read"), Body: body, Repeatable: true}
	if err := c.call(ctx, q, &answer); err != nil {
		return err
	}
	for _, r := range answer.Results {
		for _, text := range r.names(b.way, field) {
			if text = strings.ToLower(text); !slices.Contains(part, text) {
				continue // of another request, which runs beside this one
			}
			for _, p := range byText[text] {
				p.hit(b.schema, r)
			}
		}
	}
	for _, e := range answer.Errors {
		if err := classifyInput(e); err.Kind != connectors.NotFound {
			return err
		}
	}
	return nil
}

// names are the values under which a record may have been asked for: a contact
// also answers to its additional addresses, and any record to the ids of
// those that were merged into it.
func (r wireRecord) names(w way, field string) []string {
	switch {
	case w == byID:
		names := append(strings.Split(r.text("hs_merged_object_ids"), ";"), r.ID)
		// Of contacts the property that was there first: ids with their times.
		for old := range strings.SplitSeq(r.text("hs_calculated_merged_vids"), ";") {
			id, _, _ := strings.Cut(old, ":")
			names = append(names, id)
		}
		return names
	case field == "email":
		return append(strings.Split(r.text("hs_additional_emails"), ";"), r.text(field))
	}
	return []string{r.text(field)}
}

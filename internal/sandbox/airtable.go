package sandbox

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"time"
)

const (
	// atBlock is how long a base refuses everything after its limit was passed
	// (Airtable rate limits, 2026-11).
	atBlock = 30 * time.Second
	// atMaxURL is the longest request target (Airtable list records, 2026-11).
	atMaxURL = 16_000
	// atMaxRecords is the most records of one write (Airtable, 2026-11).
	atMaxRecords = 10
	// atDefaultBase is where a person's records go before any base was asked for.
	atDefaultBase = "appSandbox0000000"
)

var atBaseID = regexp.MustCompile(`^app[0-9A-Za-z]{14}$`)

// airtable emulates Airtable's Web API. Any well-formed base id is a base with
// the seed tables from the first time that it is asked for.
type airtable struct {
	opts  Options
	bases []*atBase // oldest first
	seq   int       // numbers records over all bases, for the order in which they came
	oauth *oauth
}

type atBase struct {
	id           string
	asked        bool // by the API; not only by a person through /_/records
	tables       []*atTable
	window       window
	blockedUntil time.Time
}

func newAirtable(o Options) *airtable {
	a := &airtable{opts: o}
	a.reset()
	return a
}

func (a *airtable) reset() { a.bases, a.seq, a.oauth = nil, 0, newAirtableOAuth(a.opts) }

func (a *airtable) isBatch(c *call) bool {
	return c.method != http.MethodGet && !strings.HasSuffix(c.path, "/listRecords") &&
		(bytes.Contains(c.body, []byte(`"records"`)) || len(c.query["records[]"]) > 0)
}

// base finds a base, and makes it where the id is well formed.
func (a *airtable) base(id string) *atBase {
	for _, b := range a.bases {
		if b.id == id {
			return b
		}
	}
	if !atBaseID.MatchString(id) {
		return nil
	}
	if len(a.bases) == 1 && !a.bases[0].asked {
		// A person filled the default base before the API named one: it was meant.
		a.bases[0].id = id
		return a.bases[0]
	}
	b := &atBase{id: id, tables: atSeed(), window: window{span: time.Second, limit: a.opts.AirtablePerSecond}}
	a.bases = append(a.bases, b)
	return b
}

func (b *atBase) table(nameOrID string) *atTable {
	for _, t := range b.tables {
		if t.id == nameOrID || t.name == nameOrID {
			return t
		}
	}
	return nil
}

// blocked counts a call and tells whether the base refuses it.
func (b *atBase) blocked(now time.Time) bool {
	if now.Before(b.blockedUntil) {
		return true
	}
	if b.window.take(now) {
		return false
	}
	b.blockedUntil = now.Add(atBlock)
	b.window.calls = b.window.calls[:0]
	return true
}

func (a *airtable) answer(c *call) answer {
	switch c.path {
	case "/oauth2/v1/authorize":
		return a.oauth.authorize(c)
	case "/oauth2/v1/token":
		return a.oauth.token(c)
	}
	if given, good := a.oauth.knows(c); given != good || !given && !authorized(c, a.opts.Tokens["airtable"], false) {
		return atErr(http.StatusUnauthorized, "AUTHENTICATION_REQUIRED", "Authentication required").answer()
	}
	if c.rawURL > atMaxURL {
		return atErr(http.StatusRequestURITooLong, "URI_TOO_LONG", "The URL is longer than %d characters; use POST listRecords", atMaxURL).answer()
	}
	s := c.segments
	if len(s) < 2 || s[0] != "v0" {
		return atNotFound().answer()
	}
	if len(c.body) > 0 && !c.sendsJSON() {
		// Airtable takes the body for a form then, in which it finds nothing.
		return atInvalid("INVALID_REQUEST_MISSING_FIELDS", "Could not find field \"fields\" in the request body").answer()
	}
	if s[1] == "meta" {
		return a.meta(c, s[2:])
	}
	b := a.base(s[1])
	if b == nil {
		return atNoModel().answer()
	}
	b.asked = true
	if !a.opts.Unlimited && b.blocked(c.now) {
		return atRateLimited("").answer()
	}
	if len(s) < 3 {
		return atNotFound().answer()
	}
	t := b.table(s[2])
	if t == nil {
		return atNoModel().answer()
	}
	return a.tablePaths(c, b, t, s[3:])
}

// tablePaths serves /v0/{base}/{table} and what is below it.
func (a *airtable) tablePaths(c *call, b *atBase, t *atTable, rest []string) answer {
	switch {
	case len(rest) > 1:
		return atNotFound().answer()
	case len(rest) == 1 && rest[0] == "listRecords":
		if c.method != http.MethodPost {
			return atNotFound().answer()
		}
		return t.listByBody(c, b)
	case len(rest) == 1:
		return a.recordPath(c, b, t, rest[0])
	}
	switch c.method {
	case http.MethodGet:
		return t.listByQuery(c, b)
	case http.MethodPost:
		return a.createRecords(c, b, t)
	case http.MethodPatch, http.MethodPut:
		return a.updateRecords(c, b, t)
	case http.MethodDelete:
		return b.deleteRecords(c, t)
	default:
		return atNotFound().answer()
	}
}

// recordPath serves one record.
func (a *airtable) recordPath(c *call, b *atBase, t *atTable, id string) answer {
	r := t.byID[id]
	if r == nil {
		return atNotFound().answer()
	}
	switch c.method {
	case http.MethodGet:
		return jsonAnswer(http.StatusOK, t.wire(r, nil, c.query.Get("returnFieldsByFieldId") == "true"))
	case http.MethodPatch, http.MethodPut:
		return a.updateOne(c, b, t, r)
	case http.MethodDelete:
		b.drop(t, r)
		return jsonAnswer(http.StatusOK, map[string]any{"id": id, "deleted": true})
	default:
		return atNotFound().answer()
	}
}

// records, create, edit and remove are a person at work in the grid. They look
// through all bases, oldest first, because their paths name none.

func (a *airtable) records(object string) ([]Record, error) {
	var found []*atRecord
	known := atSeedNames(object)
	for _, b := range a.bases {
		if t := b.table(object); t != nil {
			known = true
			found = append(found, t.records...)
		}
	}
	if !known {
		return nil, errNoObject
	}
	sortBySeq(found)
	out := make([]Record, 0, len(found))
	for _, r := range found {
		out = append(out, r.public())
	}
	return out, nil
}

func (a *airtable) create(object string, fields map[string]any) (Record, error) {
	if len(a.bases) == 0 {
		a.base(atDefaultBase)
	}
	for _, b := range a.bases {
		t := b.table(object)
		if t == nil {
			continue
		}
		cells, e := t.cells(a, b, fields, false)
		if e != nil {
			return Record{}, e
		}
		return a.insert(b, t, cells, a.opts.Now()).public(), nil
	}
	return Record{}, errNoObject
}

func (a *airtable) edit(object, id string, fields map[string]any) (Record, error) {
	b, t, r, err := a.lookup(object, id)
	if err != nil {
		return Record{}, err
	}
	cells, e := t.cells(a, b, fields, false)
	if e != nil {
		return Record{}, e
	}
	b.set(t, r, cells)
	return r.public(), nil
}

func (a *airtable) remove(object, id string) error {
	b, t, r, err := a.lookup(object, id)
	if err == nil {
		b.drop(t, r)
	}
	return err
}

func (a *airtable) lookup(object, id string) (*atBase, *atTable, *atRecord, error) {
	err := errNoObject
	for _, b := range a.bases {
		if t := b.table(object); t != nil {
			err = errNoRecord
			if r := t.byID[id]; r != nil {
				return b, t, r, nil
			}
		}
	}
	return nil, nil, nil, err
}

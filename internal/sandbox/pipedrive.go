package sandbox

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// defaultPipedrivePer2s is for API tokens of the smallest plan; search has a
	// limit of its own on every plan (rate limiting, 2026-11).
	defaultPipedrivePer2s = 20
	pdSearchPer2s         = 10
	// defaultPipedriveTokens is the day of a company with one Lite seat.
	defaultPipedriveTokens = 30_000
	pdMaxPage              = 500
)

// pipedrive emulates Pipedrive's API: v2, and of v1 what v2 lacks. See
// pipedrive_*.go for its parts.
type pipedrive struct {
	opts    Options
	objects []*pdObject
	users   []pdUser
	types   []pdType
	nextID  int
	field   int // of the next custom field
	burst   window
	search  window
	tokens  int
	day     time.Time
	oauth   *oauth
}

func newPipedrive(o Options) *pipedrive {
	p := &pipedrive{opts: o}
	p.reset()
	return p
}

func (p *pipedrive) reset() {
	p.objects, p.users, p.types = pdSeed()
	p.nextID, p.field, p.tokens = 1, 9000, 0
	p.oauth = newPipedriveOAuth(p.opts)
	p.burst = window{span: 2 * time.Second, limit: p.opts.PipedrivePer2s}
	p.search = window{span: 2 * time.Second, limit: pdSearchPer2s}
}

// isBatch is never true: Pipedrive has no batches.
func (p *pipedrive) isBatch(*call) bool { return false }

func (p *pipedrive) answer(c *call) answer {
	switch c.path {
	case "/oauth/authorize":
		return p.oauth.authorize(c)
	case "/oauth/token":
		return p.oauth.token(c)
	}
	if !p.authorized(c) {
		return pdError(http.StatusUnauthorized, "unauthorized access").answer()
	}
	if e := p.limit(c); e != nil {
		return p.limitHeaders(e.answer())
	}
	return p.limitHeaders(p.route(c))
}

// authorized takes the token as header, as query, or as that of OAuth.
func (p *pipedrive) authorized(c *call) bool {
	if given, good := p.oauth.knows(c); given {
		return good
	}
	if authorized(c, p.opts.Tokens["pipedrive"], false) {
		return true
	}
	got := orElse(c.header.Get("X-Api-Token"), c.query.Get("api_token"))
	want := p.opts.Tokens["pipedrive"]
	return got != "" && (want == "" || got == want)
}

// limit counts a call: tokens of the day, calls in two seconds, and searches.
func (p *pipedrive) limit(c *call) *pdErr {
	if day := c.now.UTC().Truncate(24 * time.Hour); !day.Equal(p.day) {
		p.day, p.tokens = day, 0
	}
	tokens := pdCost(c)
	if p.opts.Unlimited {
		p.tokens += tokens
		return nil
	}
	switch {
	case p.tokens+tokens > p.opts.PipedriveTokens,
		strings.HasSuffix(c.path, "earch") && !p.search.take(c.now),
		!p.burst.take(c.now):
		return pdError(http.StatusTooManyRequests, "request over limit")
	}
	p.tokens += tokens
	return nil
}

// pdCost is the x-token-cost of the OpenAPI documents.
func pdCost(c *call) int {
	s := c.segments
	if len(s) > 0 && s[0] == "api" {
		s = s[1:]
	}
	if len(s) < 2 {
		return 0
	}
	factor, path := 1, strings.Join(s[1:], "/")
	if s[0] == "v1" {
		factor = 2
	}
	switch {
	case c.method == http.MethodDelete:
		return 3 * factor
	case c.method == http.MethodPut && s[len(s)-1] == "merge":
		return 40
	case c.method != http.MethodGet:
		return 5 * factor
	case strings.HasSuffix(path, "earch"), strings.HasPrefix(path, "itemSearch"), path == "users/find":
		return 20 * factor
	case path == "leadLabels":
		return 10
	case len(s) > 2:
		return factor
	default:
		return 10 * factor
	}
}

// limitHeaders tell of the burst only: nothing shows what is left of the day.
func (p *pipedrive) limitHeaders(a answer) answer {
	if a.header == nil {
		a.header = http.Header{}
	}
	if p.opts.Unlimited {
		return a
	}
	a.header.Set("X-Ratelimit-Limit", strconv.Itoa(p.burst.limit))
	a.header.Set("X-Ratelimit-Remaining", strconv.Itoa(p.burst.left()))
	a.header.Set("X-Ratelimit-Reset", "2")
	return a
}

// route finds the part of the API that a path belongs to.
func (p *pipedrive) route(c *call) answer {
	s := c.segments
	if len(s) > 1 && s[0] == "api" && (s[1] == "v1" || s[1] == "v2") {
		s = s[1:]
	} else if len(s) > 0 && s[0] == "v2" {
		s = nil // only below /api
	}
	if len(s) < 2 {
		return pdUnknownPath().answer()
	}
	version, area, rest := s[0], s[1], s[2:]
	switch {
	case version == "v2" && area == "itemSearch":
		return p.itemSearch(c, rest)
	case strings.HasSuffix(area, "Fields"):
		return p.fieldPaths(c, version, area, rest)
	case area == "users" && version == "v1":
		return p.userPaths(c, rest)
	case (area == "activityTypes" || area == "leadLabels") && version == "v1" && len(rest) == 0 && c.method != http.MethodGet:
		return pdWrongMethod().answer()
	case area == "activityTypes" && version == "v1" && len(rest) == 0:
		return pdData(http.StatusOK, p.types, nil)
	case area == "leadLabels" && version == "v1" && len(rest) == 0:
		return pdData(http.StatusOK, pdLeadLabels, nil)
	}
	o := p.object(area)
	switch {
	case o == nil:
		return pdUnknownPath().answer()
	case version == "v2" && o.search != "" && len(rest) == 1 && rest[0] == "search":
		if c.method != http.MethodGet {
			return pdWrongMethod().answer()
		}
		return p.searchObject(c, o)
	case version == "v1" && len(rest) == 2 && rest[1] == "merge" && (o.name == "persons" || o.name == "organizations"):
		return p.mergeTwo(c, o, rest[0])
	case version != o.version:
		return pdUnknownPath().answer()
	}
	return p.objectPaths(c, o, rest)
}

func (p *pipedrive) object(name string) *pdObject {
	for _, o := range p.objects {
		if o.name == name {
			return o
		}
	}
	return nil
}

// records, create, edit and remove are a person at work in Pipedrive's pages.

func (p *pipedrive) records(object string) ([]Record, error) {
	o := p.object(object)
	if o == nil {
		return nil, errNoObject
	}
	out := make([]Record, 0, len(o.records))
	for _, r := range o.records {
		if !r.deleted {
			out = append(out, p.public(r))
		}
	}
	return out, nil
}

func (p *pipedrive) create(object string, fields map[string]any) (Record, error) {
	o := p.object(object)
	if o == nil {
		return Record{}, errNoObject
	}
	r, e := p.insert(o, o.typed(nil, fields), p.opts.Now())
	if e != nil {
		return Record{}, e
	}
	return p.public(r), nil
}

func (p *pipedrive) edit(object, id string, fields map[string]any) (Record, error) {
	o := p.object(object)
	if o == nil {
		return Record{}, errNoObject
	}
	r := o.byID[id]
	if r == nil || r.deleted {
		return Record{}, errNoRecord
	}
	if e := p.change(r, o.typed(r, fields), p.opts.Now()); e != nil {
		return Record{}, e
	}
	return p.public(r), nil
}

func (p *pipedrive) remove(object, id string) error {
	o := p.object(object)
	if o == nil {
		return errNoObject
	}
	r := o.byID[id]
	if r == nil || r.deleted {
		return errNoRecord
	}
	r.deleted, r.updated = true, p.opts.Now()
	return nil
}

package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// hsVersion is the date version of HubSpot's API that stands beside v3 and v4.
	hsVersion = "2026-09"
	// hsMaxBatch is the most inputs of a batch (HubSpot CRM guides, 2026-11).
	hsMaxBatch = 100
	// hsSearchPerSecond is per account (HubSpot usage guidelines, 2026-11).
	hsSearchPerSecond = 5
	hsDaily           = 1_000_000
	hsFirstID         = 6001
)

// hubspot emulates HubSpot's CRM API. See hubspot_*.go for its parts.
type hubspot struct {
	opts    Options
	objects []*hsObject
	owners  []hsOwner
	pairs   []hsPair
	nextID  int
	calls   int
	burst   window
	search  window
	oauth   *oauth
}

func newHubSpot(o Options) *hubspot {
	h := &hubspot{opts: o}
	h.reset()
	return h
}

func (h *hubspot) reset() {
	h.objects, h.owners = hsSeed(h.opts.Now())
	h.pairs = slices.Concat(hsPairs, hsCustomPairs)
	for _, o := range h.objects {
		o.pairs = &h.pairs
	}
	h.nextID, h.calls = hsFirstID, 0
	h.oauth = newHubSpotOAuth(h.opts)
	h.burst = window{span: 10 * time.Second, limit: h.opts.HubSpotPer10s}
	h.search = window{span: time.Second, limit: hsSearchPerSecond}
}

func (h *hubspot) isBatch(c *call) bool {
	return c.method == http.MethodPost && strings.Contains(c.path, "/batch/")
}

func (h *hubspot) answer(c *call) answer {
	if len(c.segments) > 0 && c.segments[0] == "oauth" {
		return h.oauthPaths(c)
	}
	given, good := h.oauth.knows(c)
	if given && !good {
		return hsErr(http.StatusUnauthorized, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired.").answer()
	}
	if !given && !authorized(c, h.opts.Tokens["hubspot"], false) {
		return hsUnauthorized(c).answer()
	}
	isSearch := strings.HasSuffix(c.path, "/search")
	if limited := h.limit(c, isSearch); limited != nil {
		return limited.answer()
	}
	a := h.route(c)
	if !isSearch {
		if a.header == nil {
			a.header = http.Header{}
		}
		h.limitHeaders(a.header)
	}
	return a
}

// limit counts a call. Search has a limit of its own and no headers.
func (h *hubspot) limit(c *call, isSearch bool) *hsError {
	h.calls++
	if h.opts.Unlimited {
		return nil
	}
	if isSearch {
		if !h.search.take(c.now) {
			return hsRateLimited("SECONDLY")
		}
		return nil
	}
	if !h.burst.take(c.now) {
		e := hsRateLimited("TEN_SECONDLY_ROLLING")
		e.header = http.Header{}
		h.limitHeaders(e.header)
		return e
	}
	return nil
}

func (h *hubspot) limitHeaders(to http.Header) {
	set := func(name string, n int) { to.Set("X-HubSpot-RateLimit-"+name, strconv.Itoa(n)) }
	limit, left := h.burst.limit, h.burst.left()
	if h.opts.Unlimited {
		limit, left = hsDaily, hsDaily
	}
	set("Max", limit)
	set("Remaining", left)
	set("Interval-Milliseconds", 10_000)
	set("Daily", hsDaily)
	set("Daily-Remaining", max(0, hsDaily-h.calls))
}

// route finds the part of the API that a path belongs to. HubSpot writes the
// date version behind the area (/crm/objects/2026-09/…) and the old ones before
// it (/crm/v3/objects/…).
func (h *hubspot) route(c *call) answer {
	s := c.segments
	if len(c.body) > 0 && !c.sendsJSON() {
		return hsErr(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "HTTP 415 Unsupported Media Type").answer()
	}
	if rest, ok := hsSchemaPath(s); ok {
		return h.schemaPaths(c, rest)
	}
	if len(s) < 3 || s[0] != "crm" {
		return hsNotFoundPath().answer()
	}
	area, version := s[1], s[2]
	if strings.HasPrefix(area, "v") {
		area, version = version, area
	}
	rest := s[3:]
	switch {
	case area == "objects" && (version == hsVersion || version == "v4") && len(rest) >= 4 && rest[2] == "associations":
		return h.recordAssociations(c, version, rest)
	case area == "objects" && (version == hsVersion || version == "v3") && len(rest) >= 1:
		return h.objectPaths(c, rest)
	case area == "properties" && (version == hsVersion || version == "v3") && len(rest) >= 1:
		return h.propertyPaths(c, rest)
	case area == "associations" && (version == hsVersion || version == "v4") && len(rest) >= 3:
		return h.associationPaths(c, version, rest)
	case area == "owners" && (version == hsVersion || version == "v3"):
		return h.ownerPaths(c, rest)
	default:
		return hsNotFoundPath().answer()
	}
}

// object finds an object by its plural or singular name or its type id.
func (h *hubspot) object(name string) *hsObject {
	for _, o := range h.objects {
		if name == o.name || name == o.singular || name == o.typeID {
			return o
		}
	}
	return nil
}

func (h *hubspot) owner(id string) *hsOwner {
	for i := range h.owners {
		if h.owners[i].ID == id {
			return &h.owners[i]
		}
	}
	return nil
}

// hsOwner is a user that records can belong to.
type hsOwner struct {
	ID        string `json:"id"`
	Email     string `json:"email"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
	Type      string `json:"type"`
	UserID    int    `json:"userId"`
	CreatedAt string `json:"createdAt"`
	UpdatedAt string `json:"updatedAt"`
	Archived  bool   `json:"archived"`
}

func (h *hubspot) ownerPaths(c *call, rest []string) answer {
	if c.method != http.MethodGet {
		return hsWrongMethod().answer()
	}
	if len(rest) == 1 {
		o := h.owner(rest[0])
		if o == nil {
			return hsErr(http.StatusNotFound, "OBJECT_NOT_FOUND", "Owner not found.").answer()
		}
		return jsonAnswer(http.StatusOK, o)
	}
	if len(rest) > 1 {
		return hsNotFoundPath().answer()
	}
	limit := 100
	if text := c.query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 500 {
			return hsInvalid("limit must be between 1 and 500").answer()
		}
		limit = n
	}
	after, _ := strconv.Atoi(c.query.Get("after"))
	found, body := []hsOwner{}, map[string]any{}
	for i, o := range h.owners {
		// Whether the real filter minds the case is not documented: this one does.
		if email := c.query.Get("email"); i < after || email != "" && email != o.Email {
			continue
		}
		if len(found) == limit {
			body["paging"] = map[string]any{"next": map[string]string{"after": itoa(i), "link": "?after=" + itoa(i)}}
			break
		}
		found = append(found, o)
	}
	body["results"] = found
	return jsonAnswer(http.StatusOK, body)
}

// records, create, edit and remove are a person at work in HubSpot's pages.

func (h *hubspot) records(object string) ([]Record, error) {
	o := h.object(object)
	if o == nil {
		return nil, errNoObject
	}
	out := make([]Record, 0, len(o.records))
	for _, r := range o.records {
		out = append(out, r.public())
	}
	return out, nil
}

func (h *hubspot) create(object string, fields map[string]any) (Record, error) {
	o := h.object(object)
	if o == nil {
		return Record{}, errNoObject
	}
	p, e := h.planCreate(o, hsInput{Properties: fields}, hsClaims{})
	if e != nil {
		return Record{}, e
	}
	return h.apply(p, h.opts.Now()).public(), nil
}

func (h *hubspot) edit(object, id string, fields map[string]any) (Record, error) {
	o := h.object(object)
	if o == nil {
		return Record{}, errNoObject
	}
	r := o.byID[id]
	if r == nil {
		return Record{}, errNoRecord
	}
	p, e := h.planUpdate(o, r, hsInput{Properties: fields}, hsClaims{})
	if e != nil {
		return Record{}, e
	}
	return h.apply(p, h.opts.Now()).public(), nil
}

func (h *hubspot) remove(object, id string) error {
	o := h.object(object)
	if o == nil {
		return errNoObject
	}
	if o.byID[id] == nil {
		return errNoRecord
	}
	h.archive(o, id)
	return nil
}

func (h *hubspot) newID() string {
	h.nextID++
	return fmt.Sprint(h.nextID - 1)
}

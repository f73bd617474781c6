package sandbox

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// sfVersion is the newest version of Salesforce's API (Winter '27).
	sfVersion = 68
	// sfOldest is the oldest version that is not about to retire.
	sfOldest = 41
	// sfMaxURL is the most characters of a request's address (REST API guide, 2026-11).
	sfMaxURL = 16_384
	sfOrg    = "00D5g00000SANDBEAW"
)

// salesforce emulates Salesforce's REST API for one org. See salesforce_*.go
// for its parts.
type salesforce struct {
	opts     Options
	objects  []*sfObject
	seq      int
	usage    int
	sessions map[string]bool // issued tokens; false: expired
	cursors  map[string]sfCursor
	changed  time.Time // when the objects' fields were last changed
}

func newSalesforce(o Options) *salesforce {
	s := &salesforce{opts: o}
	s.reset()
	return s
}

func (s *salesforce) reset() {
	s.seq, s.usage = 0, 0
	s.sessions, s.cursors = map[string]bool{}, map[string]sfCursor{}
	s.changed = s.opts.Now().UTC().Truncate(time.Second)
	s.objects = sfSeed()
	for _, u := range sfUsers {
		s.insert(s.object("User"), map[string]any{"Username": u.email, "Email": u.email, "FirstName": u.first, "LastName": u.last,
			"Name": u.first + " " + u.last, "IsActive": u.active}, s.opts.Now())
	}
}

func (s *salesforce) isBatch(c *call) bool { return strings.Contains(c.path, "/composite/sobjects") }

var sfVersionPath = regexp.MustCompile(`^v([0-9]{2})\.0$`)

func (s *salesforce) answer(c *call) answer {
	if c.path == "/services/oauth2/token" {
		return s.token(c)
	}
	if c.path == "/services/data" && c.method == http.MethodGet {
		return sfVersions() // for everybody
	}
	if e := s.authorize(c); e != nil {
		return e.answer()
	}
	s.usage++
	var a answer
	switch {
	case !s.opts.Unlimited && s.usage > s.opts.SalesforceDaily:
		a = sfErr(http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.").answer()
	case c.rawURL > sfMaxURL:
		a = htmlAnswer(http.StatusRequestURITooLong)
	default:
		a = s.route(c)
	}
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set("Sforce-Limit-Info", fmt.Sprintf("api-usage=%d/%d", s.usage, s.daily()))
	return a
}

// daily is what the org allows in 24 hours.
func (s *salesforce) daily() int {
	if s.opts.Unlimited {
		return 1_000_000_000
	}
	return s.opts.SalesforceDaily
}

// route finds the resource that a path belongs to.
func (s *salesforce) route(c *call) answer {
	if len(c.segments) < 3 || c.segments[0] != "services" || c.segments[1] != "data" {
		return sfNoResource().answer()
	}
	m := sfVersionPath.FindStringSubmatch(c.segments[2])
	if m == nil {
		return sfNoResource().answer()
	}
	if v, _ := strconv.Atoi(m[1]); v < sfOldest || v > sfVersion {
		return sfNoResource().answer()
	}
	rest := c.segments[3:]
	area := ""
	if len(rest) > 0 {
		area = rest[0]
	}
	switch {
	case area == "tooling":
		return s.toolingPaths(c, rest[1:])
	case area == "sobjects" && len(rest) == 2 && rest[1] == "FieldPermissions" && c.method == http.MethodPost:
		return s.grant(c)
	case area == "sobjects":
		return s.objectPaths(c, rest[1:])
	case area == "query" || area == "queryAll":
		return s.queryPaths(c, rest[1:], area == "queryAll")
	case area == "composite" && len(rest) == 1:
		return s.composite(c)
	case area == "composite" && rest[1] == "sobjects":
		return s.collections(c, rest[2:])
	case area == "limits" && len(rest) == 1 && c.method == http.MethodGet:
		left := map[string]int{"Max": s.daily(), "Remaining": max(0, s.daily()-s.usage)}
		return jsonAnswer(http.StatusOK, map[string]any{"DailyApiRequests": left})
	case area == "" && c.method == http.MethodGet:
		base := "/services/data/" + c.segments[2]
		return jsonAnswer(http.StatusOK, map[string]string{"sobjects": base + "/sobjects", "query": base + "/query", "queryAll": base + "/queryAll",
			"composite": base + "/composite", "limits": base + "/limits"})
	}
	return sfNoResource().answer()
}

func sfVersions() answer {
	var out []map[string]string
	for v := sfOldest; v <= sfVersion; v++ {
		out = append(out, map[string]string{"label": fmt.Sprintf("Release %d", v), "version": fmt.Sprintf("%d.0", v), "url": fmt.Sprintf("/services/data/v%d.0", v)})
	}
	return jsonAnswer(http.StatusOK, out)
}

// object finds an object by its name, in any case.
func (s *salesforce) object(name string) *sfObject {
	i := slices.IndexFunc(s.objects, func(o *sfObject) bool { return strings.EqualFold(o.name, name) })
	if i < 0 {
		return nil
	}
	return s.objects[i]
}

// byID finds a record of any object by its id of 15 or 18 characters.
func (s *salesforce) byID(id string) (*sfObject, *sfRecord) {
	if len(id) != 15 && len(id) != 18 || len(id) == 18 && sfLongID(id[:15]) != id {
		return nil, nil
	}
	for _, o := range s.objects {
		if strings.HasPrefix(id, o.prefix) {
			return o, o.byID[sfLongID(id[:15])]
		}
	}
	return nil, nil
}

// sfLongID adds the three characters that make an id safe where case is lost.
func sfLongID(id string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	out := id
	for part := range 3 {
		n := 0
		for bit := range 5 {
			if c := id[part*5+bit]; c >= 'A' && c <= 'Z' {
				n |= 1 << bit
			}
		}
		out += string(letters[n])
	}
	return out
}

func (s *salesforce) newID(prefix string) string {
	s.seq++
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	tail := make([]byte, 7)
	for i, n := len(tail)-1, s.seq; i >= 0; i, n = i-1, n/len(digits) {
		tail[i] = digits[n%len(digits)]
	}
	return sfLongID(prefix + "5g000" + string(tail))
}

// records, create, edit and remove are a person at work in Salesforce's pages.

func (s *salesforce) records(object string) ([]Record, error) {
	o := s.object(object)
	if o == nil {
		return nil, errNoObject
	}
	out := []Record{}
	for _, r := range o.records {
		if !r.deleted {
			out = append(out, s.public(o, r))
		}
	}
	return out, nil
}

func (s *salesforce) public(o *sfObject, r *sfRecord) Record {
	out := Record{ID: r.id, Fields: map[string]any{}, Links: []Link{}}
	for name, v := range r.values {
		out.Fields[name] = v
		if f := o.field(name); f.typ == "reference" && f.update {
			if to, _ := s.byID(fmt.Sprint(v)); to != nil && to.name != "User" {
				out.Links = append(out.Links, Link{Object: to.name, ID: fmt.Sprint(v), Type: name})
			}
		}
	}
	if o.name == "Task" {
		rels := s.object("TaskRelation")
		for _, rel := range rels.holding(rels.field("TaskId"), r.id) {
			id, _ := rel.values["RelationId"].(string)
			known := slices.ContainsFunc(out.Links, func(l Link) bool { return l.ID == id })
			if to, _ := s.byID(id); to != nil && !known {
				out.Links = append(out.Links, Link{Object: to.name, ID: id, Type: "TaskRelation"})
			}
		}
	}
	return out
}

func (s *salesforce) create(object string, fields map[string]any) (Record, error) {
	o := s.object(object)
	if o == nil {
		return Record{}, errNoObject
	}
	r, e := s.save(sfWrite{object: o, input: fields, allowDuplicates: true, now: s.opts.Now()})
	if e != nil {
		return Record{}, e
	}
	return s.public(o, r), nil
}

// edit changes fields; "IsConverted": true converts a lead, and a
// "MasterRecordId" merges the record into that one: Salesforce's pages can, and
// SOAP, but not REST.
func (s *salesforce) edit(object, id string, fields map[string]any) (Record, error) {
	o := s.object(object)
	if o == nil {
		return Record{}, errNoObject
	}
	r := o.byID[id]
	if r == nil || r.deleted {
		return Record{}, errNoRecord
	}
	if o.name == "Lead" && fields["IsConverted"] == true {
		s.convert(r)
		return s.public(o, r), nil
	}
	if id, ok := fields["MasterRecordId"].(string); ok && o.field("MasterRecordId") != nil {
		master := o.byID[sfFull(id)]
		if master == nil || master.deleted || master == r || master.values["IsConverted"] == true {
			return Record{}, sfBad("INVALID_ID_FIELD", "the master must be another record of the object")
		}
		s.merge(o, r, master)
		return s.public(o, r), nil
	}
	if _, e := s.save(sfWrite{object: o, record: r, input: fields, allowDuplicates: true, now: s.opts.Now()}); e != nil {
		return Record{}, e
	}
	return s.public(o, r), nil
}

func (s *salesforce) remove(object, id string) error {
	o := s.object(object)
	if o == nil {
		return errNoObject
	}
	r := o.byID[id]
	if r == nil || r.deleted {
		return errNoRecord
	}
	r.bury()
	return nil
}

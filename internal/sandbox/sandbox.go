package sandbox

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// maxBody is the largest request body that the sandbox reads. It is far
	// above what any emulated vendor takes; the vendors' own limits are lower.
	maxBody = 16 << 20

	defaultHubSpotPer10s     = 190     // HubSpot Pro and Enterprise, usage guidelines, 2026-11
	defaultAirtablePerSecond = 5       // per base, Airtable rate limits, 2026-11
	defaultSalesforceDaily   = 100_000 // Enterprise without licences, Salesforce limits cheat sheet, 2026-11
)

// Options are the settings of a Sandbox. The zero value is a sandbox that takes
// any token, holds the vendors' published limits and indexes searches at once.
type Options struct {
	// Tokens holds, per CRM, the only token that is accepted. A CRM that is
	// absent accepts any token that is not empty.
	Tokens map[string]string
	// Unlimited switches all rate limits off.
	Unlimited bool
	// SearchDelay is how long a write stays invisible to HubSpot's and Pipedrive's
	// search. Zero is none.
	SearchDelay time.Duration
	// HubSpotPer10s is HubSpot's burst limit per rolling ten seconds; zero is 190.
	HubSpotPer10s int
	// AirtablePerSecond is Airtable's limit per base and second; zero is 5.
	AirtablePerSecond int
	// SalesforceDaily is Salesforce's limit of calls in 24 hours; zero is 100,000.
	SalesforceDaily int
	// PipedrivePer2s is Pipedrive's limit of calls in two seconds; zero is 20.
	PipedrivePer2s int
	// PipedriveTokens is Pipedrive's budget of a day; zero is 30,000.
	PipedriveTokens int
	// TokenLife is how long access tokens that were given by OAuth are good; zero
	// is the vendor's own half hour or hour.
	TokenLife time.Duration
	// RefreshGrace is how long a refresh token that was replaced is taken once
	// more, as some vendors do for answers that were lost. Zero is not at all.
	RefreshGrace time.Duration
	// Now is the clock for limits and timestamps; nil is time.Now.
	Now func() time.Time
}

// Sandbox is the emulator of all vendors. It is safe for concurrent use.
type Sandbox struct {
	opts    Options
	vendors []namedVendor
	faults  faultList
	journal journal
	caught  webhooks
}

// vendor is one emulated API. The sandbox never calls two of its methods at once.
type vendor interface {
	// answer does one API call.
	answer(c *call) answer
	// fault is the vendor's own error for a status. word is what the fault's
	// author asked for in particular, such as the name of an error code.
	fault(c *call, status int, word string) answer
	// isBatch tells whether a call carries several inputs, so that one may fail.
	isBatch(c *call) bool
	// records lists what an object holds, newest last.
	records(object string) ([]Record, error)
	// create, edit and remove are a person at work in the CRM's own pages.
	create(object string, fields map[string]any) (Record, error)
	edit(object, id string, fields map[string]any) (Record, error)
	remove(object, id string) error
	// reset goes back to the seed.
	reset()
}

type namedVendor struct {
	name string
	mu   *sync.Mutex
	vendor
}

// call is one request to a vendor.
type call struct {
	method   string
	path     string   // the vendor's own path, decoded, with its leading slash
	segments []string // path, split and decoded, empty segments dropped
	query    url.Values
	host     string
	rawURL   int // length of the request target below the vendor's prefix
	header   http.Header
	body     []byte
	now      time.Time
	partial  *Fault // the fault that makes one input of a batch fail, or nil
}

// sendsJSON tells whether the body says that it is JSON.
func (c *call) sendsJSON() bool {
	kind, _, err := mime.ParseMediaType(c.header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// answer is one response. A nil body is no body.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// New returns a sandbox that holds the seed: fields and tables, and no records.
func New(o Options) *Sandbox {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.HubSpotPer10s <= 0 {
		o.HubSpotPer10s = defaultHubSpotPer10s
	}
	if o.AirtablePerSecond <= 0 {
		o.AirtablePerSecond = defaultAirtablePerSecond
	}
	if o.SalesforceDaily <= 0 {
		o.SalesforceDaily = defaultSalesforceDaily
	}
	if o.PipedrivePer2s <= 0 {
		o.PipedrivePer2s = defaultPipedrivePer2s
	}
	if o.PipedriveTokens <= 0 {
		o.PipedriveTokens = defaultPipedriveTokens
	}
	s := &Sandbox{opts: o}
	// The one list of what is emulated.
	s.vendors = []namedVendor{
		{name: "hubspot", vendor: newHubSpot(o)},
		{name: "airtable", vendor: newAirtable(o)},
		{name: "salesforce", vendor: newSalesforce(o)},
		{name: "pipedrive", vendor: newPipedrive(o)},
		{name: "telli", vendor: newTelli(o)},
		{name: "respondio", vendor: newRespondio(o)},
		{name: "voipgrid", vendor: newVoipgrid(o)},
		{name: "sipgate", vendor: newSipgate(o)},
	}
	for i := range s.vendors {
		s.vendors[i].mu = new(sync.Mutex)
	}
	return s
}

// Records is what GET /_/records/{crm}/{object} returns. An unknown CRM or
// object has no records.
func (s *Sandbox) Records(crm, object string) []Record {
	if crm == "webhook" {
		return s.caught.list(object)
	}
	v := s.vendor(crm)
	if v == nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	records, err := v.records(object)
	if err != nil {
		return nil
	}
	return records
}

// Requests lists the calls to one CRM's API, oldest first; an empty crm means all.
func (s *Sandbox) Requests(crm string) []Request { return s.journal.list(crm) }

func (s *Sandbox) vendor(name string) *namedVendor {
	for i := range s.vendors {
		if s.vendors[i].name == name {
			return &s.vendors[i]
		}
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		status := http.StatusBadRequest
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		plainError(status, "the request body could not be read").write(w)
		return
	}
	prefix, below, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	switch v := s.vendor(prefix); {
	case prefix == "_":
		s.introspect(r, below, body).write(w)
	case prefix == "webhook" && below != "":
		s.catch(w, r, below, body)
	case v != nil:
		s.serveVendor(w, r, v, below, body)
	default:
		plainError(http.StatusNotFound, "no such vendor: the first part of the path is one of "+s.names()).write(w)
	}
}

// serveVendor applies a call first and waits for a fault's latency afterwards:
// a client that gives up meanwhile is left with an unknown outcome, as it is
// with the real ones.
func (s *Sandbox) serveVendor(w http.ResponseWriter, r *http.Request, v *namedVendor, below string, body []byte) {
	c := newCall(r, below, body, s.opts.Now())
	effect := s.faults.match(v.name, c, v.isBatch(c))
	c.partial = effect.partial

	var a answer
	v.mu.Lock()
	switch {
	case effect.status != nil:
		a = effect.status.answer(v.vendor, c)
	default:
		a = v.answer(c)
	}
	v.mu.Unlock()

	s.journal.add(Request{CRM: v.name, Method: c.method, Path: c.path, Status: effect.shown(a), Time: c.now})
	effect.send(w, r, a)
}

func newCall(r *http.Request, below string, body []byte, now time.Time) *call {
	c := &call{method: r.Method, query: r.URL.Query(), header: r.Header, body: body, host: r.Host, now: now}
	c.rawURL = len(below) + 1
	if r.URL.RawQuery != "" {
		c.rawURL += len(r.URL.RawQuery) + 1
	}
	for part := range strings.SplitSeq(below, "/") {
		if part == "" {
			continue
		}
		if decoded, err := url.PathUnescape(part); err == nil {
			part = decoded
		}
		c.segments = append(c.segments, part)
	}
	c.path = "/" + strings.Join(c.segments, "/")
	return c
}

// names lists the emulated vendors for a message.
func (s *Sandbox) names() string {
	all := make([]string, 0, len(s.vendors)+1)
	for _, v := range s.vendors {
		all = append(all, v.name)
	}
	return strings.Join(append(all, "webhook"), ", ")
}

// Package pipedrive writes to a Pipedrive company: persons, organizations,
// deals, leads, activities, notes and call logs, one request for each record,
// as Pipedrive has no batches.
//
// It keeps nothing but limits, how many pages an object has, and, for hours,
// what it read of the account's fields and users. When to try again is the
// deliverer's business.
package pipedrive

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/internal/oauth"
)

const (
	// Wave is how many records are worth looking for together: one list of all
	// persons answers for all of them. More would keep newer ones waiting: on
	// Lite it is some 20 seconds' work.
	Wave = 100

	baseURL = "https://api.pipedrive.com"
	v1, v2  = "/v1", "/api/v2"
	// perTwoSeconds is what API tokens may do on the smallest plan, Lite; the
	// others allow 40, 80 to 100 and 120 (rate limiting, 2026-11).
	perTwoSeconds = 20
	// searchPerTwoSeconds holds on every plan (rate limiting, 2026-11).
	searchPerTwoSeconds = 10
	// settle is after how long a record that a request made is taken to be
	// listed, counted from the latest end of that request. Pipedrive says
	// nothing about it.
	settle = 30 * time.Second
	// keepFor is long, as reading the fields again costs tokens of the day.
	keepFor = 6 * time.Hour
	width   = 8 // requests of one call side by side
)

// Config are the settings of a connector of type pipedrive.
type Config struct {
	APIToken      config.Secret `yaml:"api_token" doc:"personal API token of the user in whose name crmsyncd writes"`
	ClientID      string        `yaml:"client_id" doc:"instead of api_token: client id of an app, for access that a person grants with crmsyncd auth; what it may do is set in the app"`
	ClientSecret  config.Secret `yaml:"client_secret" doc:"with client_id: client secret of the app"`
	BaseURL       string        `yaml:"base_url" doc:"address of the API, or of the company such as https://example.pipedrive.com, which makes links to records; default https://api.pipedrive.com"`
	Timeout       time.Duration `yaml:"timeout" doc:"longest time for one request; default 20s"`
	RequestsPer2s int           `yaml:"requests_per_2s" doc:"requests that the plan allows in two seconds; default: what Pipedrive says in its answers, 20 until then"`
	TokensPerDay  int           `yaml:"tokens_per_day" doc:"tokens of the company's daily budget that crmsyncd may use, counted from midnight UTC or the start of the daemon; default no limit of its own"`
	SearchLag     time.Duration `yaml:"search_lag" doc:"after how long a record is taken to be listed that a lost request may have made; default 30s"`
	AllowPrivate  []string      `yaml:"allow_private" doc:"true, or a list of networks such as 10.1.0.0/16: private addresses that links to recordings may lead to; default none"`
	LookFirst     bool          `yaml:"look_first" doc:"read the person's activities or notes before each new one, for 10 or 20 tokens: for a backfill after the ledger was lost"`
}

// Connector is one Pipedrive company.
type Connector struct {
	access    *oauth.Source // nil: the settings hold a token
	client    *httpx.Client
	limits    *httpx.Limiter // of the token, for everything
	search    *httpx.Limiter // for searches, beside it
	budget    *budget
	sizes     sizes
	coercion  connectors.Coercion
	company   string        // address of its pages; "" if it is not known
	lag       time.Duration // from the beginning of a request until lists must show what it made
	lookFirst bool

	fetcher    *httpx.Fetcher
	recordings chan struct{} // held by who has a recording in hand

	schemas connectors.Cache[read]
	users   connectors.Cache[directory]
}

// New returns a connector. It sends nothing.
func New(cfg Config, opt connectors.Options) (connectors.Connector, error) {
	if cfg.BaseURL == "" {
		cfg.BaseURL = baseURL
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = httpx.DefaultTimeout
	}
	own := cfg.RequestsPer2s > 0
	if !own {
		cfg.RequestsPer2s = perTwoSeconds
	}
	if cfg.SearchLag <= 0 {
		cfg.SearchLag = settle
	}
	reach, err := httpx.ParseReach(cfg.AllowPrivate)
	if err != nil {
		return nil, fmt.Errorf("allow_private: %w", err)
	}
	c := &Connector{
		limits:    httpx.NewWindow(httpx.Window{Limit: cfg.RequestsPer2s, Span: burstSpan, Fixed: own}),
		budget:    budgetOf(opt.Name, cfg.BaseURL, cfg.TokensPerDay),
		coercion:  connectors.Coercion{Zone: opt.Zone, Country: opt.Country},
		company:   company(cfg.BaseURL),
		lag:       cfg.Timeout + cfg.SearchLag,
		lookFirst: cfg.LookFirst,
		schemas:   connectors.Cache[read]{Keep: keepFor},
		users:     connectors.Cache[directory]{Keep: keepFor},

		fetcher:    httpx.NewFetcher(opt.UserAgent, maxRecording, recordingPatience, reach, refusedAddress).Through(opt.Transport),
		recordings: make(chan struct{}, recordingsAtOnce),
	}
	searches := searchPerTwoSeconds
	if cfg.RequestsPer2s > 1000 { // no plan allows it: a sandbox without limits
		searches = cfg.RequestsPer2s
	}
	c.search = httpx.NewWindow(httpx.Window{Limit: searches, Span: burstSpan, Fixed: true})
	if c.access, err = access(cfg, opt); err != nil {
		return nil, err
	}
	c.access.Ask(c.account)
	c.client, err = httpx.New(httpx.Options{
		BaseURL:   cfg.BaseURL,
		UserAgent: opt.UserAgent,
		Header:    credentials{token: cfg.APIToken}.header(),
		Timeout:   cfg.Timeout,
		Limiter:   c.limits,
		Refused:   refusedFor,
		Auth:      c.access.Auth(),
		Transport: opt.Transport,
		OnlyJSON:  true,
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// company is the address of the company's pages, if the settings name it.
func company(base string) string {
	u, err := url.Parse(base)
	if err != nil || !strings.HasSuffix(u.Host, ".pipedrive.com") || u.Host == "api.pipedrive.com" {
		return ""
	}
	return "https://" + u.Host
}

// credentials say in whose name requests are sent where the settings hold an
// API token.
type credentials struct{ token config.Secret }

func (c credentials) header() http.Header {
	if c.token == "" {
		return nil
	}
	return http.Header{"X-Api-Token": {c.token.Reveal()}}
}

// Describe implements connectors.Connector.
func (c *Connector) Describe(ctx context.Context, objects []string) (connectors.Schema, error) {
	out := connectors.Schema{}
	for _, name := range objects {
		s, err := c.shape(ctx, name)
		if err != nil {
			if err.Code == codeNoObject {
				continue
			}
			return nil, err
		}
		out[name] = s.object
	}
	return out, nil
}

// Find implements connectors.Connector. Where one list of all records costs
// fewer tokens than the searches, it reads that list. What comes back is
// compared here: of persons all their addresses and numbers, addresses and text
// without regard to case, numbers however they are written. Pipedrive has no
// search for activities, notes and call logs, so these are only found by $id.
func (c *Connector) Find(ctx context.Context, matches []connectors.Match) ([]connectors.Found, error) {
	found := make([]connectors.Found, len(matches))
	var objects []string
	wants := map[string][]*want{}
	for i, m := range matches {
		if wants[m.Object] == nil {
			objects = append(objects, m.Object)
		}
		wants[m.Object] = append(wants[m.Object], &want{match: m, found: &found[i]})
	}
	for _, name := range objects {
		c.findIn(ctx, name, wants[name])
	}
	return found, nil
}

// Read implements connectors.Reader.
func (c *Connector) Read(ctx context.Context, object string, ids, fields []string) ([]connectors.Read, error) {
	return connectors.ReadByID(ctx, c.Find, object, ids, fields)
}

// Write implements connectors.Connector.
func (c *Connector) Write(ctx context.Context, changes []connectors.Change) ([]connectors.Result, error) {
	results := make([]connectors.Result, len(changes))
	items := make([]*item, len(changes))
	for i := range changes {
		items[i] = &item{change: &changes[i], result: &results[i], id: changes[i].ID}
	}
	for _, i := range items {
		if err := c.prepare(ctx, i); err != nil {
			i.fail(err)
		}
	}
	c.lookForTwins(ctx, items)
	c.readBefore(ctx, items)
	connectors.Batching[*item]{Size: 1, Width: width, Lane: (*item).lane, Class: (*item).class, Apart: (*item).apart, Err: (*item).err, Fail: (*item).fail}.
		Run(items, func(one []*item) {
			c.send(ctx, one[0])
			one[0].change.Tell(one[0].result)
		})
	return results, nil
}

// Tokens is how many tokens of the company's daily budget were used since the
// connector was made.
func (c *Connector) Tokens() int { return c.budget.total() }

// call sends a request and decodes an answer of status 200 to 299 into into.
func (c *Connector) call(ctx context.Context, q httpx.Request, into any) *connectors.Error {
	began, tokens := time.Now(), cost(q.Method, q.Path)
	if err := c.budget.take(tokens, began); err != nil {
		return err
	}
	answer, err := c.client.Do(ctx, q)
	if err != nil {
		if !sent(err) {
			c.budget.giveBack(tokens, began)
		}
		return noAnswer(err, q.Repeatable)
	}
	if q.Limiter == nil { // what searches say is their own limit
		c.observe(answer)
	}
	if answer.Status >= 300 {
		return c.budget.judge(classify(answer, q.Repeatable), time.Now())
	}
	c.budget.accepted()
	return decode(answer.Body, into, q.Repeatable)
}

// observe takes the token's limit from the headers. They tell of two seconds
// only, never of the day (rate limiting, 2026-11).
func (c *Connector) observe(r *httpx.Response) {
	limit, err := strconv.Atoi(r.Header.Get("X-Ratelimit-Limit"))
	if err != nil {
		return
	}
	left, err := strconv.Atoi(r.Header.Get("X-Ratelimit-Remaining"))
	if err != nil {
		left = -1
	}
	c.limits.Observe(limit, left, burstSpan)
}

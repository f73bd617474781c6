// Package hubspot writes to a HubSpot account: contacts, calls, notes and any
// other object of the CRM API, in batches.
//
// It keeps nothing but limits and, for minutes, what it read of the account's
// properties, owners and association labels. When to try again is the
// deliverer's business.
package hubspot

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/internal/oauth"
)

const (
	// Version is the date version of HubSpot's API in every path. Versions
	// come out each March and September and are supported for 18 months.
	Version = "2026-09"
	// Batch is the most records of one request (HubSpot batch guides, 2026-11).
	Batch = 100

	baseURL = "https://api.hubapi.com"
	// linkBatch is the most pairs of one association request. HubSpot
	// documents 2,000 for writes and 1,000 for reads (2026-11).
	linkBatch = 1000
	// perTenSeconds is what Free and Starter accounts allow; Professional and
	// Enterprise allow 190 (usage guidelines, 2026-11).
	perTenSeconds = 100
	// searchPerSecond is per account, whatever its plan (search guide, 2026-11).
	searchPerSecond = 5
	// searchLag is after how long a new record is taken to be in the search
	// index. HubSpot says "a few moments"; 30 s were reported.
	searchLag = 30 * time.Second
	keepFor   = 10 * time.Minute // schemas, owners, labels
	width     = 4                // requests of one call side by side
)

// Config are the settings of a connector of type hubspot.
type Config struct {
	AccessToken    config.Secret `yaml:"access_token" doc:"token of a Service Key (or of a legacy private app) with the scopes crm.objects.contacts.read and .write"`
	ClientID       string        `yaml:"client_id" doc:"instead of access_token: client id of an app, for access that a person grants with crmsyncd auth"`
	ClientSecret   config.Secret `yaml:"client_secret" doc:"with client_id: client secret of the app"`
	Scopes         []string      `yaml:"scopes" doc:"with client_id: what is asked for, just as in the app's settings; default oauth, crm.objects.contacts.read and .write, crm.objects.owners.read"`
	BaseURL        string        `yaml:"base_url" doc:"address of the API; default https://api.hubapi.com"`
	Timeout        time.Duration `yaml:"timeout" doc:"longest time for one request; default 20s"`
	RequestsPer10s int           `yaml:"requests_per_10s" doc:"requests that the account allows in ten seconds; default: what HubSpot says in its answers, 100 until then"`
	SearchLag      time.Duration `yaml:"search_lag" doc:"after how long a new record can be found by search; default 30s"`
}

// Connector is one HubSpot account.
type Connector struct {
	access   *oauth.Source // nil: the settings hold a token
	client   *httpx.Client
	limits   *httpx.Limiter // of the account, for everything but searches
	search   *httpx.Limiter
	coercion connectors.Coercion
	lag      time.Duration // from the beginning of a request until search must know what it made

	types   sync.Map // path names of custom objects by the names that rules use
	schemas connectors.Cache[read]
	owners  connectors.Cache[map[string]string] // ids by e-mail address in lower case
	labels  connectors.Cache[[]wireLabel]
}

// New returns a connector. It sends nothing.
func New(cfg Config, opt connectors.Options) (connectors.Connector, error) {
	if cfg.BaseURL == "" {
		cfg.BaseURL = baseURL
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = httpx.DefaultTimeout
	}
	own := cfg.RequestsPer10s > 0
	if !own {
		cfg.RequestsPer10s = perTenSeconds
	}
	if cfg.SearchLag <= 0 {
		cfg.SearchLag = searchLag
	}
	limits := httpx.NewWindow(httpx.Window{Limit: cfg.RequestsPer10s, Span: 10 * time.Second, Fixed: own})
	granted, err := access(cfg, opt)
	if err != nil {
		return nil, err
	}
	client, err := httpx.New(httpx.Options{
		BaseURL:   cfg.BaseURL,
		UserAgent: opt.UserAgent,
		Header:    http.Header{"Authorization": {"Bearer " + cfg.AccessToken.Reveal()}},
		Timeout:   cfg.Timeout,
		Limiter:   limits,
		Refused:   refusedFor,
		Auth:      granted.Auth(),
		Transport: opt.Transport,
		OnlyJSON:  true,
	})
	if err != nil {
		return nil, err
	}
	c := &Connector{
		access:   granted,
		client:   client,
		limits:   limits,
		search:   httpx.NewWindow(httpx.Window{Limit: searchPerSecond, Span: time.Second, Burst: 1, Fixed: true}),
		coercion: connectors.Coercion{Zone: opt.Zone, Country: opt.Country},
		lag:      cfg.Timeout + cfg.SearchLag,
		schemas:  connectors.Cache[read]{Keep: keepFor},
		owners:   connectors.Cache[map[string]string]{Keep: keepFor},
		labels:   connectors.Cache[[]wireLabel]{Keep: keepFor},
	}
	granted.Ask(c.account)
	return c, nil
}

// Describe implements connectors.Connector.
func (c *Connector) Describe(ctx context.Context, objects []string) (connectors.Schema, error) {
	out := connectors.Schema{}
	for _, name := range objects {
		o, err := c.object(ctx, name)
		if err != nil {
			if err.Code == codeNoObject {
				continue
			}
			return nil, err
		}
		out[name] = o
	}
	return out, nil
}

// Find implements connectors.Connector. Keys are tried level by level over all
// matches, so that many matches cost few requests. Of contacts, a key on an
// e-mail also finds additional addresses, and a key on phone or mobilephone
// finds the number in either, however it is written there.
func (c *Connector) Find(ctx context.Context, matches []connectors.Match) ([]connectors.Found, error) {
	found := make([]connectors.Found, len(matches))
	levels := 0
	for _, m := range matches {
		levels = max(levels, len(m.Keys))
	}
	for level := range levels {
		var open []probe
		for i, m := range matches {
			if level < len(m.Keys) && found[i].Err == nil && len(found[i].Records) == 0 {
				open = append(open, probe{match: m, key: m.Keys[level], level: level, found: &found[i]})
			}
		}
		c.probe(ctx, open)
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
		items[i] = &item{change: &changes[i], result: &results[i]}
	}
	c.prepare(ctx, items)
	c.lookForTwins(ctx, items)
	connectors.Batching[*item]{Size: Batch, Width: width, Lane: (*item).lane, Class: (*item).class, Apart: (*item).apart, Err: (*item).err, Fail: (*item).fail}.
		Run(items, func(batch []*item) {
			c.writePart(ctx, batch)
			for _, i := range batch {
				if len(i.change.Links) == 0 {
					i.change.Tell(i.result)
				}
			}
		})
	c.link(ctx, items)
	return results, nil
}

// call sends a request and decodes an answer of status 200 to 299 into into.
func (c *Connector) call(ctx context.Context, q httpx.Request, into any) *connectors.Error {
	answer, err := c.client.Do(ctx, q)
	if err != nil {
		return noAnswer(err, q.Repeatable)
	}
	c.observe(answer)
	if answer.Status >= 300 {
		return classify(answer, q.Repeatable)
	}
	return decode(answer.Body, into, q.Repeatable)
}

// observe takes the account's limit from the headers, where an answer has them:
// searches do not, and the daily ones are told by a 429 (usage guidelines,
// 2026-11).
func (c *Connector) observe(r *httpx.Response) {
	number := func(name string) int {
		n, err := strconv.Atoi(r.Header.Get("X-HubSpot-RateLimit-" + name))
		if err != nil {
			return -1
		}
		return n
	}
	c.limits.Observe(max(0, number("Max")), number("Remaining"), time.Duration(max(0, number("Interval-Milliseconds")))*time.Millisecond)
}

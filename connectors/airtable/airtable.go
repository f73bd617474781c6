// Package airtable writes to one Airtable base: rows of its tables, found by
// any field, upserted in batches, linked through link fields.
//
// It keeps nothing but the limit and, for minutes, the base's schema. When to
// try again is the deliverer's business.
package airtable

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/internal/oauth"
)

const (
	// Batch is the most records of one request (Airtable Web API, 2026-11).
	Batch = 10

	baseURL = "https://api.airtable.com"
	// perSecond is per base, over all tokens (Airtable rate limits, 2026-11).
	perSecond = 5
	// burstWait is how long Airtable refuses everything once the limit was
	// exceeded (Airtable rate limits, 2026-11).
	burstWait = 30 * time.Second
	keepFor   = 10 * time.Minute // the schema
	width     = 4                // requests of one call side by side
)

// Config are the settings of a connector of type airtable.
type Config struct {
	AccessToken       config.Secret `yaml:"access_token" doc:"personal access token with the scopes data.records:read, data.records:write and schema.bases:read"`
	ClientID          string        `yaml:"client_id" doc:"instead of access_token: client id of an OAuth integration, for access that a person grants with crmsyncd auth"`
	ClientSecret      config.Secret `yaml:"client_secret" doc:"with client_id: client secret of the integration"`
	Scopes            []string      `yaml:"scopes" doc:"with client_id: what is asked for; default data.records:read, data.records:write, schema.bases:read"`
	Base              string        `yaml:"base,required" doc:"id of the base, such as appXXXXXXXXXXXXXX"`
	Typecast          bool          `yaml:"typecast" doc:"let Airtable convert values and make options that are missing; needs creator rights for the latter"`
	BaseURL           string        `yaml:"base_url" doc:"address of the API; default https://api.airtable.com"`
	Timeout           time.Duration `yaml:"timeout" doc:"longest time for one request; default 20s"`
	RequestsPerSecond int           `yaml:"requests_per_second" doc:"requests that the base allows in a second; default 5"`
}

// Connector is one Airtable base.
type Connector struct {
	access   *oauth.Source // nil: the settings hold a token
	client   *httpx.Client
	limits   *httpx.Limiter
	base     string
	typecast bool
	timeout  time.Duration
	coercion connectors.Coercion
	schemas  connectors.Cache[schema]
}

// baseID is how Airtable writes the ids of bases.
var baseID = regexp.MustCompile(`app[A-Za-z0-9]{3,}`)

// New returns a connector. It sends nothing.
func New(cfg Config, opt connectors.Options) (connectors.Connector, error) {
	if id := baseID.FindString(cfg.Base); id != cfg.Base || id == "" {
		if id == "" {
			return nil, errors.New("base: wants the id of the base, not its name; it stands in the base's address: https://airtable.com/app…")
		}
		return nil, fmt.Errorf("base: wants the id alone: %s", id)
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = baseURL
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = httpx.DefaultTimeout
	}
	if cfg.RequestsPerSecond <= 0 {
		cfg.RequestsPerSecond = perSecond
	}
	granted, err := access(cfg, opt)
	if err != nil {
		return nil, err
	}
	limits := httpx.NewWindow(httpx.Window{Limit: cfg.RequestsPerSecond, Span: time.Second})
	client, err := httpx.New(httpx.Options{
		BaseURL:   cfg.BaseURL,
		UserAgent: opt.UserAgent,
		Header:    http.Header{"Authorization": {"Bearer " + cfg.AccessToken.Reveal()}},
		Timeout:   cfg.Timeout,
		Limiter:   limits,
		Refused:   func(*httpx.Response) time.Duration { return burstWait },
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
		base:     cfg.Base,
		typecast: cfg.Typecast,
		timeout:  cfg.Timeout,
		coercion: connectors.Coercion{Zone: opt.Zone, Country: opt.Country, AnyOption: cfg.Typecast},
		schemas:  connectors.Cache[schema]{Keep: keepFor},
	}
	granted.Ask(c.account)
	return c, nil
}

// Describe implements connectors.Connector.
func (c *Connector) Describe(ctx context.Context, objects []string) (connectors.Schema, error) {
	s, err := c.schema(ctx)
	if err != nil {
		return nil, err
	}
	if !s.known {
		return nil, &connectors.Error{Kind: connectors.Auth, Code: "NO_SCHEMA_SCOPE", Message: "the access token lacks the scope schema.bases:read"}
	}
	out := connectors.Schema{}
	for _, name := range objects {
		if t, ok := s.table(name); ok {
			t.object.Name = name
			out[name] = t.object
		}
	}
	return out, nil
}

// Find implements connectors.Connector. All keys of many matches are looked for
// with one formula; what comes back is compared here: e-mail addresses without
// regard to case, numbers however they are written, everything else exactly.
func (c *Connector) Find(ctx context.Context, matches []connectors.Match) ([]connectors.Found, error) {
	found := make([]connectors.Found, len(matches))
	byTable := map[string][]*want{}
	for i, m := range matches {
		byTable[m.Object] = append(byTable[m.Object], &want{match: m, found: &found[i]})
	}
	var tables []string
	for name := range byTable {
		tables = append(tables, name)
	}
	connectors.Parallel(tables, width, func(name string) { c.findIn(ctx, name, byTable[name]) })
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
	c.prepare(ctx, items)
	c.lookForTwins(ctx, items)
	c.keepLinks(ctx, items)
	connectors.Batching[*item]{Size: Batch, Width: width, Lane: (*item).lane, Class: (*item).class, Apart: (*item).apart, Err: (*item).err, Fail: (*item).fail}.
		Run(items, func(batch []*item) {
			connectors.Isolate(ctx, batch, c.send, func(i *item, err *connectors.Error) { i.fail(err) })
			for _, i := range batch {
				i.change.Tell(i.result)
			}
		})
	c.nameDuplicates(ctx, items)
	return results, nil
}

// call sends a request and decodes an answer of status 200 to 299 into into.
func (c *Connector) call(ctx context.Context, q httpx.Request, into any) *connectors.Error {
	answer, err := c.client.Do(ctx, q)
	if err != nil {
		return noAnswer(err, q.Repeatable)
	}
	if answer.Status >= 300 {
		return classify(answer, q.Repeatable)
	}
	return decode(answer.Body, into, q.Repeatable)
}

func (c *Connector) tablePath(t table) string {
	return "/v0/" + url.PathEscape(c.base) + "/" + url.PathEscape(t.path)
}

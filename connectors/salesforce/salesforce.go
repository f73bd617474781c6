// Package salesforce writes to one Salesforce org: leads, contacts, tasks and
// any other object, through sObject Collections of the REST API.
//
// It keeps nothing but its session, how much of the day's calls is used, and,
// for minutes, the objects' fields and the ids of users. When to try again is
// the deliverer's business.
package salesforce

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const (
	// Version is the version of the API that is spoken unless api_version says
	// otherwise: Winter '27. Salesforce supports a version for three years at
	// least; 31 to 40 retire in Summer '28.
	Version = "68.0"
	// Batch is the most records of one request (sObject Collections, 2026-11).
	Batch = 200

	// longest is of one request: Salesforce itself waits ten seconds for a
	// locked record before it answers.
	longest   = 60 * time.Second
	keepFor   = 10 * time.Minute // users, and objects until they are asked for anew
	width     = 4                // reads of one call side by side; an org allows 25 slow ones
	lockTries = 3
	lockPause = time.Second
)

// Config are the settings of a connector of type salesforce.
type Config struct {
	LoginURL       string        `yaml:"login_url" doc:"the org's My Domain, such as https://example.my.salesforce.com"`
	ClientID       string        `yaml:"client_id,required" doc:"consumer key of the External Client App"`
	ClientSecret   config.Secret `yaml:"client_secret" doc:"consumer secret of the app, for the client credentials flow"`
	PrivateKey     config.Secret `yaml:"private_key" doc:"instead of client_secret: private key in PEM whose certificate the app has, for the JWT bearer flow"`
	Username       string        `yaml:"username" doc:"with private_key: the user that crmsyncd acts as"`
	Audience       string        `yaml:"audience" doc:"with private_key: who the assertion is for; default https://login.salesforce.com, of a sandbox org https://test.salesforce.com"`
	APIVersion     string        `yaml:"api_version" doc:"version of the API; default 68.0"`
	DuplicateRules string        `yaml:"duplicate_rules" doc:"allow writes although a duplicate rule that only alerts found a record, refuse updates the record that was found; default allow"`
	BatchSize      int           `yaml:"batch_size" doc:"most records of one request; default 200; lower it where triggers of the org run into limits"`
	Reserve        int           `yaml:"reserve" doc:"percentage of the org's daily API calls that is left to other programs; default 10"`
	BaseURL        string        `yaml:"base_url" doc:"address that stands for the login host and the org's own; for tests and the sandbox"`
	Timeout        time.Duration `yaml:"timeout" doc:"longest time for one request; default 60s"`
}

// Connector is one Salesforce org.
type Connector struct {
	client   *httpx.Client
	login    *login
	usage    *usage
	version  string
	header   http.Header // of writes
	batch    int
	timeout  time.Duration
	pause    time.Duration // before locked records are tried again
	coercion connectors.Coercion
	schemas  connectors.Cache[object]
	users    connectors.Cache[string]
	known    known
	// turn is held by who writes. Writes below one account lock it, and which
	// account that is only Salesforce knows: so they go one after the other.
	turn chan struct{}
}

var versionText = regexp.MustCompile(`^[0-9]{2}\.0$`)

// New returns a connector. It sends nothing.
func New(cfg Config, opt connectors.Options) (connectors.Connector, error) {
	if cfg.Timeout <= 0 {
		cfg.Timeout = longest
	}
	if cfg.BatchSize <= 0 || cfg.BatchSize > Batch {
		cfg.BatchSize = Batch
	}
	if cfg.APIVersion == "" {
		cfg.APIVersion = Version
	}
	cfg.APIVersion = strings.TrimPrefix(cfg.APIVersion, "v")
	if !versionText.MatchString(cfg.APIVersion) {
		return nil, fmt.Errorf("api_version: it is written like %s", Version)
	}
	if cfg.Reserve < 0 || cfg.Reserve > 90 {
		return nil, fmt.Errorf("reserve: it is a percentage from 1 to 90")
	}
	if org, lightning := strings.CutSuffix(strings.TrimSuffix(cfg.LoginURL, "/"), ".lightning.force.com"); lightning {
		return nil, fmt.Errorf("login_url: programs log in at %s.my.salesforce.com, not where people see the pages", org)
	}
	header := http.Header{}
	switch cfg.DuplicateRules {
	case "", "allow":
		header.Set("Sforce-Duplicate-Rule-Header", "allowSave=true")
	case "refuse":
		header.Set("Sforce-Duplicate-Rule-Header", "allowSave=false; includeRecordDetails=false")
	default:
		return nil, fmt.Errorf("duplicate_rules: it is allow or refuse")
	}
	l, err := newLogin(cfg, opt)
	if err != nil {
		return nil, err
	}
	// Where requests go the session says; the login's address stands in.
	address := cfg.BaseURL
	if address == "" {
		address = cfg.LoginURL
	}
	client, err := httpx.New(httpx.Options{BaseURL: address, UserAgent: opt.UserAgent, Timeout: cfg.Timeout, Auth: l, Transport: opt.Transport, OnlyJSON: true})
	if err != nil {
		return nil, err
	}
	return &Connector{
		client:   client,
		login:    l,
		usage:    newUsage(cfg.Reserve),
		version:  cfg.APIVersion,
		header:   header,
		batch:    cfg.BatchSize,
		timeout:  cfg.Timeout,
		pause:    lockPause,
		coercion: connectors.Coercion{Zone: opt.Zone, Country: opt.Country},
		schemas:  connectors.Cache[object]{Keep: keepFor},
		users:    connectors.Cache[string]{Keep: keepFor},
		turn:     make(chan struct{}, 1),
	}, nil
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
		out[name] = o.Object
	}
	return out, nil
}

// Find implements connectors.Connector. Keys are tried level by level over all
// matches, so that many matches cost few requests. A key on Phone or
// MobilePhone finds the number in either, however it is written there. A lead
// that was converted is found only where no open one is, and then stands for
// its contact: the record's id is the contact's. The id of a record that was
// merged finds the one that it was merged into.
func (c *Connector) Find(ctx context.Context, matches []connectors.Match) ([]connectors.Found, error) {
	found := make([]connectors.Found, len(matches))
	levels := 0
	for _, m := range matches {
		levels = max(levels, len(m.Keys))
	}
	for level := range levels {
		var open []*probe
		for i, m := range matches {
			if level < len(m.Keys) && found[i].Err == nil && len(found[i].Records) == 0 {
				open = append(open, &probe{match: m, key: m.Keys[level], level: level, found: &found[i]})
			}
		}
		c.probe(ctx, open)
	}
	return found, nil
}

// Read implements connectors.Reader.
func (c *Connector) Read(ctx context.Context, object string, ids, fields []string) ([]connectors.Read, error) {
	long := make([]string, len(ids))
	for n, id := range ids {
		long[n] = id
		if full, ok := longID(id); ok {
			long[n] = full // one of 15 characters is the same
		}
	}
	return connectors.ReadByID(ctx, c.Find, object, long, fields)
}

// Write implements connectors.Connector. Requests that write go one after the
// other, over all callers.
func (c *Connector) Write(ctx context.Context, changes []connectors.Change) ([]connectors.Result, error) {
	results := make([]connectors.Result, len(changes))
	items := make([]*item, len(changes))
	for i := range changes {
		items[i] = &item{change: &changes[i], result: &results[i], id: changes[i].ID}
		if id, ok := longID(items[i].id); ok {
			items[i].id = id
		}
	}
	c.prepare(ctx, items)
	c.lookForTwins(ctx, items)
	c.lookFirst(ctx, items)
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, connectors.AsError(ctx.Err())
	}
	connectors.Batching[*item]{Size: c.batch, Width: 1, Lane: (*item).lane, Class: (*item).class, Apart: (*item).apart, Err: (*item).err, Fail: (*item).fail}.
		Run(items, func(batch []*item) {
			c.writeBatch(ctx, batch)
			for _, i := range batch {
				if i.people == nil {
					i.change.Tell(i.result)
				}
			}
		})
	c.relate(ctx, items)
	return results, nil
}

// call sends a request and decodes an answer of status 200 to 299 into into.
func (c *Connector) call(ctx context.Context, q httpx.Request, into any) *connectors.Error {
	answer, err := c.ask(ctx, q)
	if err != nil {
		return err
	}
	if answer.Status >= 300 {
		return classify(answer, q.Repeatable)
	}
	return decode(answer.Body, into, q.Repeatable)
}

func (c *Connector) ask(ctx context.Context, q httpx.Request) (*httpx.Response, *connectors.Error) {
	if err := c.usage.wait(ctx); err != nil {
		return nil, err
	}
	answer, err := c.client.Do(ctx, q)
	if err != nil {
		return nil, noAnswer(err, q.Repeatable)
	}
	c.usage.learn(answer.Header.Get("Sforce-Limit-Info"), time.Now())
	return answer, nil
}

func (c *Connector) path(rest string) string { return "/services/data/v" + c.version + rest }

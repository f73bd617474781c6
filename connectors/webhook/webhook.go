// Package webhook posts records to an address of the user's: Zapier, Make,
// n8n, or any other receiver. Requests are signed by the Standard Webhooks
// specification, and their id is the same over all attempts, so that a
// receiver can tell a repetition.
//
// It reads nothing, follows no redirect, and reaches no private address that
// the settings do not allow. When to try again is the deliverer's business.
package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const (
	// Batch is how many records one request takes.
	Batch = 1

	// perSecond is below what Zapier (30 a second for each address) and Make
	// (300 in ten seconds) take; read 2026-11.
	perSecond = 20
	width     = 8 // requests of one call side by side
)

// Config are the settings of a connector of type webhook.
type Config struct {
	URL               config.Secret            `yaml:"url,required" doc:"address that is posted to; with many receivers whoever knows it may post, so keep it secret"`
	SigningSecret     []config.Secret          `yaml:"signing_secret" doc:"secret that signs every request, whsec_… or any text of 16 characters or more; a list while it is being changed"`
	Unsigned          bool                     `yaml:"unsigned" doc:"post without a signature: the receiver then cannot tell who posts; default false"`
	Headers           map[string]config.Secret `yaml:"headers" doc:"further headers of every request, such as Authorization, by name"`
	AllowPrivate      []string                 `yaml:"allow_private" doc:"true, or a list of networks such as 10.1.0.0/16: private addresses that url may lead to; default none"`
	Timeout           time.Duration            `yaml:"timeout" doc:"longest time for one request; default 20s"`
	RequestsPerSecond int                      `yaml:"requests_per_second" doc:"requests that the receiver takes in a second; default 20"`
}

// Connector is one receiver.
type Connector struct {
	client *httpx.Client
	limits *httpx.Limiter
	host   string // for messages; the path may be a secret
	path   string // escaped, with the query
	keys   signer
	now    func() time.Time
}

// New returns a connector. It sends nothing. The error names the setting that
// is unfit.
func New(cfg Config, opt connectors.Options) (connectors.Connector, error) {
	u, err := url.Parse(strings.TrimSpace(cfg.URL.Reveal()))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("url: not an http or https address")
	case u.User != nil:
		return nil, errors.New("url: a user and a password belong into headers, as Authorization")
	}
	keys, err := newSigner(cfg.SigningSecret, cfg.Unsigned)
	if err != nil {
		return nil, err
	}
	header, err := headers(cfg.Headers)
	if err != nil {
		return nil, err
	}
	reach, err := httpx.ParseReach(cfg.AllowPrivate)
	if err != nil {
		return nil, fmt.Errorf("allow_private: %w", err)
	}
	if cfg.RequestsPerSecond <= 0 {
		cfg.RequestsPerSecond = perSecond
	}
	send := opt.Transport
	if send == nil {
		send = httpx.Guarded(reach, refusedAddress, http.ProxyFromEnvironment)
	}
	limits := httpx.NewLimiter(float64(cfg.RequestsPerSecond), cfg.RequestsPerSecond)
	client, err := httpx.New(httpx.Options{
		BaseURL:   u.Scheme + "://" + u.Host,
		UserAgent: opt.UserAgent,
		Header:    header,
		Timeout:   cfg.Timeout,
		Limiter:   limits,
		Transport: send,
	})
	if err != nil {
		return nil, errors.New("url: not an http or https address")
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	return &Connector{client: client, limits: limits, host: u.Host, path: path, keys: keys, now: time.Now}, nil
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]{1,100}$`)

// headers checks the headers of the settings; those that say what the request
// is are not to be had.
func headers(own map[string]config.Secret) (http.Header, error) {
	taken := []string{"Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Host", "Connection", "Idempotency-Key", "Traceparent", "Tracestate", headerID, headerTime, headerSignature}
	out := http.Header{}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		value, key := own[name].Reveal(), http.CanonicalHeaderKey(name)
		switch {
		case !headerName.MatchString(name):
			return nil, fmt.Errorf("headers: %q cannot be the name of a header", name)
		case slices.Contains(taken, key):
			return nil, fmt.Errorf("headers: %s is set by crmsyncd itself", key)
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			return nil, fmt.Errorf("headers: the value of %s has a line break or another control character", key)
		}
		out.Set(key, value)
	}
	return out, nil
}

// Describe implements connectors.Connector: every object takes any field.
func (*Connector) Describe(_ context.Context, objects []string) (connectors.Schema, error) {
	out := connectors.Schema{}
	for _, name := range objects {
		out[name] = connectors.Object{Name: name, Label: name, Open: true}
	}
	return out, nil
}

// Repeats implements connectors.Repeater: the id of a request stays.
func (*Connector) Repeats() bool { return true }

// Find implements connectors.Connector: nothing can be looked up, so nothing is
// found.
func (*Connector) Find(_ context.Context, matches []connectors.Match) ([]connectors.Found, error) {
	return make([]connectors.Found, len(matches)), nil
}

// Write implements connectors.Connector. Every change is a request of its own.
// Result.ID is the id under which it was posted. Repeating one is safe: the id
// stays.
func (c *Connector) Write(ctx context.Context, changes []connectors.Change) ([]connectors.Result, error) {
	results := make([]connectors.Result, len(changes))
	items := make([]*item, len(changes))
	for i := range changes {
		items[i] = &item{change: &changes[i], result: &results[i]}
		items[i].body, items[i].result.Err = encode(&changes[i])
	}
	none := func(*item) string { return "" }
	connectors.Batching[*item]{
		Size: Batch, Width: width, Class: none, Apart: none,
		Lane: func(i *item) string { return i.change.Lane },
		Err:  func(i *item) *connectors.Error { return i.result.Err },
		Fail: func(i *item, err *connectors.Error) { i.result.Err = err },
	}.Run(items, func(batch []*item) {
		for _, i := range batch {
			c.post(ctx, i)
		}
	})
	return results, nil
}

// item is one change on its way.
type item struct {
	change *connectors.Change
	result *connectors.Result
	body   json.RawMessage
}

func (c *Connector) post(ctx context.Context, i *item) {
	id := i.change.Idempotency
	if id == "" {
		id = bodyID(i.body)
	}
	ctx = connectors.Carrying(ctx, []*item{i}, func(i *item) *connectors.Change { return i.change })
	answer, err := c.client.Do(ctx, httpx.Request{
		Method: http.MethodPost, Path: c.path, Body: i.body, Repeatable: true,
		Header: c.keys.header(id, c.now(), i.body),
	})
	switch {
	case err != nil:
		i.result.Err = c.noAnswer(err)
	case answer.Status < 200 || answer.Status >= 300:
		i.result.Err = c.classify(answer)
	default:
		i.result.ID, i.result.Created = id, i.change.ID == ""
		i.change.Tell(i.result)
	}
}

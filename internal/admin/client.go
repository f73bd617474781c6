package admin

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// ErrUnreachable means that no daemon answers at the admin address.
var ErrUnreachable = errors.New("no daemon answers at the admin address")

// Client does Operations through a running daemon's admin address.
type Client struct {
	base string
	http *http.Client
}

var _ Operations = (*Client)(nil)

// NewClient returns a Client for an address as in the settings: host:port or
// unix:/path.
func NewClient(address string) *Client { return NewClientFor(address, "", nil) }

// NewClientFor is NewClient that, over TCP, shows a token unless it is "" and
// speaks TLS unless secure is nil.
func NewClientFor(address, token string, secure *tls.Config) *Client {
	c := &Client{base: "http://" + address, http: &http.Client{Timeout: time.Minute}}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		c.base = "http://crmsyncd"
		c.http.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}}
		return c
	}
	if secure != nil {
		c.base = "https://" + address
	}
	c.http.Transport = shown{token, &http.Transport{TLSClientConfig: secure}} // no proxy: the daemon is on this machine
	return c
}

// shown shows a token with every request.
type shown struct {
	token string
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (s shown) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	return s.next.RoundTrip(r)
}

// Status implements Operations.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.get(ctx, "/api/status", nil, &s)
}

// Events implements Operations.
func (c *Client) Events(ctx context.Context, f store.EventFilter) (list []Event, err error) {
	q := url.Values{}
	set(q, "state", string(f.State))
	set(q, "source", f.Source)
	set(q, "type", string(f.Type))
	set(q, "origin", string(f.Origin))
	if !f.Since.IsZero() {
		q.Set("since", f.Since.Format(time.RFC3339Nano))
	}
	if !f.Until.IsZero() {
		q.Set("until", f.Until.Format(time.RFC3339Nano))
	}
	page(q, f.Before, f.Limit)
	return list, c.get(ctx, "/api/events", q, &list)
}

// Event implements Operations.
func (c *Client) Event(ctx context.Context, seq uint64) (e Event, err error) {
	return e, c.get(ctx, "/api/events/"+store.EventID(seq), nil, &e)
}

// Deliveries implements Operations.
func (c *Client) Deliveries(ctx context.Context, f store.DeliveryFilter) (list []Delivery, err error) {
	q := url.Values{}
	set(q, "state", string(f.State))
	set(q, "connector", f.Connector)
	page(q, f.Before, f.Limit)
	return list, c.get(ctx, "/api/deliveries", q, &list)
}

// Replay implements Operations.
func (c *Client) Replay(ctx context.Context, seqs []uint64) (int, error) {
	o := order{}
	for _, s := range seqs {
		o.IDs = append(o.IDs, store.EventID(s))
	}
	return c.post(ctx, "/api/events/replay", o)
}

// Retry implements Operations.
func (c *Client) Retry(ctx context.Context, ids []store.DeliveryID) (int, error) {
	return c.post(ctx, "/api/deliveries/retry", order{IDs: names(ids)})
}

// Discard implements Operations.
func (c *Client) Discard(ctx context.Context, ids []store.DeliveryID, reason string) (int, error) {
	return c.post(ctx, "/api/deliveries/discard", order{IDs: names(ids), Reason: reason})
}

func names(ids []store.DeliveryID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.String()
	}
	return out
}

func set(q url.Values, key, value string) {
	if value != "" {
		q.Set(key, value)
	}
}

func page(q url.Values, before uint64, limit int) {
	if before > 0 {
		q.Set("before", store.EventID(before))
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
}

func (c *Client) get(ctx context.Context, path string, q url.Values, into any) error {
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return err
	}
	return c.do(req, into)
}

func (c *Client) post(ctx context.Context, path string, o order) (int, error) {
	var n changed
	err := c.send(ctx, path, o, &n)
	return n.Changed, err
}

// send posts o as JSON and reads the answer into into, if that is not nil.
func (c *Client) send(ctx context.Context, path string, o, into any) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return c.do(req, into)
}

func (c *Client) do(req *http.Request, into any) error {
	resp, err := c.http.Do(req)
	if err != nil {
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) {
			return ErrUnreachable
		}
		return fmt.Errorf("ask the daemon: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		if into == nil {
			return nil
		}
		return json.NewDecoder(resp.Body).Decode(into)
	}
	return refusedBy(resp)
}

// Package httpx is how crmsyncd calls vendors: JSON over HTTPS with a limit on
// everything, a few quick retries of what is safe to repeat, and errors that
// say whether a request may have been applied.
//
// It does not know any vendor, does not wait for more than half a minute, and
// never logs. Longer waits belong to the ledger.
package httpx

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/hashicorp/go-retryablehttp"
)

// The limits that hold where Options does not say otherwise.
const (
	DefaultTimeout  = 20 * time.Second // of one attempt, the answer's body included
	DefaultAttempts = 3
	MaxBody         = 8 << 20          // bytes of an answer
	MaxWait         = 30 * time.Second // a longer Retry-After is not slept but returned
)

// Options are the settings of a Client.
type Options struct {
	// BaseURL is what paths are appended to. A user and password in it are
	// not sent and never shown.
	BaseURL   string
	UserAgent string
	// Header is sent with every request. Idempotency-Key is refused: with it
	// Go's transport repeats a POST by itself.
	Header http.Header
	// Timeout is of one attempt; 0 is DefaultTimeout.
	Timeout time.Duration
	// Attempts is the most times one request is sent; 0 is DefaultAttempts.
	Attempts int
	// Limiter is the account's; nil is no limit.
	Limiter *Limiter
	// Refused reads out of a 429 how long the vendor wants the account to
	// wait, where it does not say so by Retry-After; 0 is not known. A wait
	// above two seconds is not slept but returned.
	Refused func(r *Response) time.Duration
	// OnlyJSON says that the vendor refuses in JSON: a refusal in HTML of what
	// was sent is not his, but a proxy's or a firewall's on the way, and is an
	// Error. Those of 401, 403, 404 and 429 are passed on all the same.
	OnlyJSON bool
	// Auth gives the credentials where they change; nil: all is in Header.
	Auth Auth
	// Transport sends; nil is a pooled one that takes the proxy from the
	// environment.
	Transport http.RoundTripper
}

// Request is one call to a vendor.
type Request struct {
	Method string
	Path   string // escaped, begins with a slash
	Query  url.Values
	Body   any // sent as JSON; nil: no body
	// Form is sent instead of a Body, as HTML forms are: what OAuth's token
	// addresses want.
	Form url.Values
	// Upload is sent instead of a Body; nil: no file.
	Upload *Upload
	// Header is sent with this request, over the client's own.
	Header http.Header
	// Repeatable says that the request may be sent again although an earlier
	// attempt may have been applied: reads, updates and upserts.
	Repeatable bool
	// Limiter is one more that this request is subject to, beside the
	// account's; nil is none.
	Limiter *Limiter
}

// Response is a vendor's answer, of any status.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// RetryAfter is the wait that the answer asks for; 0 if it does not.
func (r *Response) RetryAfter() time.Duration { return retryAfter(r.Header, time.Now()) }

// Client calls one vendor for one account. It is safe for concurrent use.
type Client struct {
	rest *resty.Client
	host string
	auth Auth
}

// New returns a client, or an error if the base URL is no http or https URL.
func New(o Options) (*Client, error) {
	base, err := url.Parse(strings.TrimRight(o.BaseURL, "/"))
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, errors.New("base_url: this is no http or https address; write it like http://127.0.0.1:9900/hubspot")
	}
	if o.Header.Get("Idempotency-Key") != "" {
		return nil, errors.New("httpx: an Idempotency-Key header makes Go repeat creates")
	}
	base.User, base.RawQuery, base.Fragment = nil, "", ""

	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Attempts <= 0 {
		o.Attempts = DefaultAttempts
	}
	down := &outage{}
	p := &policy{attempts: o.Attempts, outage: down, refused: o.Refused}
	next := o.Transport
	if next == nil {
		next = shared()
	}

	retrying := retryablehttp.NewClient()
	retrying.Logger = nil
	retrying.RetryMax = o.Attempts - 1
	retrying.CheckRetry = p.checkRetry
	retrying.Backoff = func(time.Duration, time.Duration, int, *http.Response) time.Duration { return 0 } // checkRetry waited
	// Without it an exhausted retry loses the last answer's status and body.
	retrying.ErrorHandler = retryablehttp.PassthroughErrorHandler
	// A redirect would send a write to another place, so none is followed.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	retrying.HTTPClient = &http.Client{
		Transport:     &attempts{next: next, timeout: o.Timeout, limiter: o.Limiter, outage: down, refused: o.Refused, onlyJSON: o.OnlyJSON},
		CheckRedirect: stay,
	}
	outer := retrying.StandardClient()
	outer.CheckRedirect = stay

	rest := resty.NewWithClient(outer).
		SetBaseURL(base.String()).
		SetRetryCount(0). // resty's own retries would multiply the attempts
		SetResponseBodyLimit(MaxBody).
		SetLogger(quiet{}).
		SetHeader("Accept", "application/json")
	if o.UserAgent != "" {
		rest.SetHeader("User-Agent", o.UserAgent)
	}
	for k, v := range o.Header {
		rest.Header[http.CanonicalHeaderKey(k)] = v
	}
	return &Client{rest: rest, host: base.Host, auth: o.Auth}, nil
}

// Do sends a request and returns the answer, whatever its status. The error,
// an *Error or that of Auth, means that there is no answer.
func (c *Client) Do(ctx context.Context, q Request) (*Response, error) {
	if c.auth == nil {
		return c.do(ctx, q, Access{})
	}
	return c.doWithAuth(ctx, q)
}

func (c *Client) do(ctx context.Context, q Request, access Access) (*Response, error) {
	fate := &fate{repeatable: q.Repeatable, limiter: q.Limiter, upload: q.Upload}
	r := c.rest.R().SetContext(context.WithValue(ctx, fateKey{}, fate))
	if q.Query != nil {
		r.SetQueryParamsFromValues(q.Query)
	}
	for k, v := range q.Header {
		r.Header[http.CanonicalHeaderKey(k)] = v
	}
	if q.Form != nil {
		r.SetHeader("Content-Type", "application/x-www-form-urlencoded").SetBody(q.Form.Encode())
	}
	if q.Body != nil {
		body, err := json.Marshal(q.Body)
		if err != nil {
			return nil, &Error{Method: q.Method, Place: c.host + q.Path, What: "the request cannot be written as JSON"}
		}
		r.SetHeader("Content-Type", "application/json").SetBody(body)
	}
	if q.Upload != nil {
		if err := q.Upload.prepare(); err != nil {
			return nil, &Error{Method: q.Method, Place: c.host + q.Path, What: "the file's name or type cannot be sent"}
		}
		r.SetHeader("Content-Type", q.Upload.boundary)
	}
	if access.Authorization != "" {
		r.SetHeader("Authorization", access.Authorization)
	}
	answer, err := r.Execute(q.Method, access.BaseURL+q.Path)
	if err != nil {
		return nil, c.failed(ctx, q, fate, err)
	}
	return &Response{Status: answer.StatusCode(), Header: answer.Header(), Body: answer.Body()}, nil
}

// quiet drops what resty would log.
type quiet struct{}

func (quiet) Errorf(string, ...any) {}
func (quiet) Warnf(string, ...any)  {}
func (quiet) Debugf(string, ...any) {}

package httpx

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/internal/trace"
)

// fate is what becomes of one request over all its attempts. It travels in
// the request's context.
type fate struct {
	repeatable bool
	limiter    *Limiter
	upload     *Upload
	// written: an attempt without an answer may have reached the vendor.
	written atomic.Bool
	sends   int // attempts so far
}

type fateKey struct{}

func fateOf(ctx context.Context) *fate {
	if f, ok := ctx.Value(fateKey{}).(*fate); ok {
		return f
	}
	return &fate{}
}

// attempts sends single attempts. It reads the whole answer itself, so that an
// answer cut in the middle counts as none and the time limit covers it.
type attempts struct {
	next    http.RoundTripper
	timeout time.Duration
	limiter *Limiter
	outage  *outage
	refused func(*Response) time.Duration

	onlyJSON bool
}

var errTooLarge = errors.New("the answer is larger than 8 MiB")

// RoundTrip implements http.RoundTripper.
func (a *attempts) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	fate := fateOf(r.Context())
	if a.outage.down() { // who would only wait for a turn in vain
		return nil, errDown
	}
	mine, err := turns(r.Context(), fate.limiter, a.limiter)
	if err != nil {
		return nil, err
	}
	defer mine.out() // also of what never got a connection
	if !a.outage.enter(time.Now()) {
		return nil, errDown
	}
	defer func() { a.outage.leave(time.Now(), fared(r, answer, err)) }()
	// The time limit begins behind the limiters: waiting for one's turn is
	// not the vendor's fault.
	patience := a.timeout
	if fate.upload != nil {
		patience = max(patience, fate.upload.Patience)
	}
	leaving, giveUp := context.WithCancelCause(r.Context())
	defer giveUp(nil)
	ctx, cancel := context.WithTimeoutCause(leaving, patience, errTimeout)
	defer cancel()
	var sent atomic.Bool
	events := &httptrace.ClientTrace{
		// HTTP/2 tells of WroteHeaders when they are out, perhaps after the request
		// was given up; of each field it tells before.
		WroteHeaderField: func(string, []string) { sent.Store(true) },
		WroteHeaders:     func() { sent.Store(true) },
		WroteRequest: func(httptrace.WroteRequestInfo) {
			sent.Store(true)
			mine.out()
			crashpoint.At("request.sent")
		},
	}
	defer leave(r.Context(), fate, events, giveUp)()
	count(r.Context())
	crashpoint.At("request.begun")
	began := time.Now()
	out, span := trace.Request(r.WithContext(httptrace.WithClientTrace(ctx, events)), fate.sends)
	fate.sends++
	defer func() {
		failure := ""
		if err != nil {
			failure = inWords(err)
		}
		span.End(answer, failure)
	}()
	if fate.upload != nil {
		if err := fate.upload.put(out); err != nil {
			return nil, err
		}
	}
	answer, err = a.next.RoundTrip(out)
	if err == nil {
		Clock.observe(answer, began, time.Now())
		answer, err = whole(answer)
	}
	if err == nil && answer.StatusCode == http.StatusProxyAuthRequired {
		return nil, errProxy // which says nothing of the vendor, who never saw the request
	}
	if err == nil && a.onlyJSON && notTheVendors(answer) {
		return nil, errForeign
	}
	if err != nil {
		if sent.Load() {
			fate.written.Store(true)
		}
		if cause := context.Cause(ctx); cause != nil && r.Context().Err() == nil {
			return nil, cause
		}
		return nil, err
	}
	crashpoint.At("request.answered")
	mine.back()
	a.learn(fate, answer)
	return answer, nil
}

// notTheVendors tells whether a refusal is of somebody on the way to a vendor
// who refuses in JSON.
func notTheVendors(r *http.Response) bool {
	switch s := r.StatusCode; {
	case s < 400, s >= 500, s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusNotFound, s == http.StatusTooManyRequests:
		return false
	}
	text := bytes.TrimSpace(r.Body.(*wholeBody).text)
	return len(text) > 0 && text[0] == '<'
}

// learn adapts the limiters to what the vendor said.
func (a *attempts) learn(fate *fate, r *http.Response) {
	l := a.limiter
	if fate.limiter != nil {
		l = fate.limiter
	}
	if r.StatusCode != http.StatusTooManyRequests {
		l.Accepted()
		a.limiter.Accepted()
		return
	}
	wait := retryAfter(r.Header, time.Now())
	if wait == 0 && a.refused != nil {
		wait = a.refused(&Response{Status: r.StatusCode, Header: r.Header, Body: r.Body.(*wholeBody).text})
	}
	l.Refused(wait)
}

// whole reads the body.
func whole(r *http.Response) (*http.Response, error) {
	text, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	if len(text) > MaxBody {
		return nil, errTooLarge
	}
	r.Body = &wholeBody{Reader: bytes.NewReader(text), text: text}
	r.ContentLength = int64(len(text))
	return r, nil
}

// wholeBody is a body that was read already.
type wholeBody struct {
	*bytes.Reader
	text []byte
}

func (*wholeBody) Close() error { return nil }

// pooled is a transport that keeps connections, takes the proxy from the
// environment, and gives up soon where nobody answers.
func pooled() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            forgetting(dialer()),
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTime},
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// shared is the transport of all clients that bring none: a reload, which makes
// new clients, goes on with the connections that are there.
var shared = sync.OnceValue(pooled)

func dialer() *net.Dialer { return &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second} }

// forgetting has connections let go, when they are closed, of what has not
// arrived. The system would go on sending a request that nobody waits for any
// more, for minutes: where the way was cut for a while it would come after what was
// written since, and an older value would overwrite a newer one.
func forgetting(d *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, address)
		if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
			_ = tcp.SetLinger(0)
		}
		return conn, err
	}
}

// An HTTP/2 connection carries many requests and outlives those that are given
// up: one on which nothing comes for pingAfter, nor an answer to a ping within
// pingTime, is closed, for the same reason. Both together are less than any
// connector's own time limit for a request.
const (
	pingAfter = 10 * time.Second
	pingTime  = 5 * time.Second
)

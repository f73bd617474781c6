package httpx

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// fate is what becomes of one request over all its attempts. It travels in
// the request's context.
type fate struct {
	repeatable bool
	limiter    *Limiter
	// written: an attempt without an answer may have reached the vendor.
	written atomic.Bool
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
	ctx, cancel := context.WithTimeoutCause(r.Context(), a.timeout, errTimeout)
	defer cancel()
	var sent atomic.Bool
	trace := &httptrace.ClientTrace{
		WroteHeaders: func() { sent.Store(true) },
		WroteRequest: func(httptrace.WroteRequestInfo) {
			sent.Store(true)
			mine.out()
		},
	}
	answer, err = a.next.RoundTrip(r.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err == nil {
		answer, err = whole(answer)
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
	mine.back()
	a.learn(fate, answer)
	return answer, nil
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
func pooled() http.RoundTripper {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           32,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

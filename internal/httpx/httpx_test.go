package httpx

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// server answers with each step in turn, the last one again and again.
func server(t *testing.T, steps ...http.HandlerFunc) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var hits atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		n := int(hits.Add(1))
		steps[min(n, len(steps))-1](w, r)
	}))
	t.Cleanup(s.Close)
	return s, &hits
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, `{"n":1}`)
	}
}

func cut(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

func client(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		steps      []http.HandlerFunc
		repeatable bool
		hits       int64
		status     int  // 0: no answer
		written    bool // where there is no answer
	}{
		{"a fine answer is one request", []http.HandlerFunc{status(200)}, false, 1, 200, false},
		{"429 and 503 are tried again although not repeatable", []http.HandlerFunc{status(429), status(503), status(201)}, false, 3, 201, false},
		{"three attempts at most and the last answer is kept", []http.HandlerFunc{status(503)}, true, 3, 503, false},
		{"500 of a create is not repeated", []http.HandlerFunc{status(500)}, false, 1, 500, false},
		{"500 of an upsert is repeated", []http.HandlerFunc{status(500), status(200)}, true, 2, 200, false},
		{"400 is not repeated", []http.HandlerFunc{status(400)}, true, 1, 400, false},
		{"a lost reply to a create is told", []http.HandlerFunc{cut, status(200)}, false, 1, 0, true},
		{"a lost reply to an upsert is repeated", []http.HandlerFunc{cut, status(200)}, true, 2, 200, false},
		{"a Retry-After of a day is handed back", []http.HandlerFunc{status(429, "Retry-After", "86400")}, true, 1, 429, false},
		{"a short Retry-After is slept", []http.HandlerFunc{status(429, "Retry-After", "0.05"), status(200)}, false, 2, 200, false},
		{"a redirect is not followed", []http.HandlerFunc{status(307, "Location", "/elsewhere")}, true, 1, 307, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, hits := server(t, c.steps...)
			cl := client(t, Options{BaseURL: s.URL, Timeout: time.Minute}) // the machine may be busy
			r, err := cl.Do(t.Context(), Request{Method: "POST", Path: "/x", Body: map[string]int{"a": 1}, Repeatable: c.repeatable})
			if hits.Load() != c.hits {
				t.Errorf("got %d requests, want %d", hits.Load(), c.hits)
			}
			if c.status == 0 {
				var e *Error
				if !errors.As(err, &e) || e.Written != c.written {
					t.Fatalf("got %v (%+v), want an *Error with Written %v", err, e, c.written)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Status != c.status || string(r.Body) != `{"n":1}` {
				t.Errorf("got %d %q, want %d and the body", r.Status, r.Body, c.status)
			}
		})
	}
}

func TestDoOfWhatIsNotAnsweredInTimeMayHaveBeenApplied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		came := make(chan error, 1)
		go func() {
			r, err := http.ReadRequest(bufio.NewReader(theirs))
			if err == nil {
				_, err = io.Copy(io.Discard, r.Body)
			}
			came <- err // and is never answered
		}()
		dial := func(context.Context, string, string) (net.Conn, error) { return ours, nil }
		c := client(t, Options{BaseURL: "http://crm.invalid", Transport: &http.Transport{DialContext: dial}})
		_, err := c.Do(t.Context(), Request{Method: http.MethodPost, Path: "/x", Body: map[string]int{"a": 1}})
		var e *Error
		if !errors.As(err, &e) || !e.Written {
			t.Errorf("got %v (%+v), want an *Error with Written", err, e)
		}
		if err := <-came; err != nil {
			t.Errorf("the request did not arrive: %v", err)
		}
		_ = theirs.Close()
	})
}

func TestDoOfWhatNobodyAnswersWasNotApplied(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	_, err = client(t, Options{BaseURL: "http://" + addr, Attempts: 1}).Do(t.Context(), Request{Method: "POST", Path: "/x", Body: 1})
	var e *Error
	if !errors.As(err, &e) || e.Written || !strings.Contains(e.Error(), "refused") {
		t.Fatalf("got %v, want connection refused and not written", err)
	}
}

func TestErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	s, _ := server(t, cut)
	base := strings.Replace(s.URL, "http://", "http://user:hunter2@", 1)
	c := client(t, Options{BaseURL: base, Attempts: 1, Header: http.Header{"Authorization": {"Bearer hunter2"}}})
	_, err := c.Do(t.Context(), Request{Method: "GET", Path: "/x", Query: url.Values{"api_token": {"hunter2"}}})
	if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "api_token") {
		t.Fatalf("got %v, want an error without the token", err)
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		if strings.Contains(inner.Error(), "hunter2") {
			t.Errorf("cause %v holds the token", inner)
		}
	}
}

func TestCancelDuringTheWaitComesBackAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	refuse := status(503, "Retry-After", "20")
	s, hits := server(t, func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r)
		time.AfterFunc(50*time.Millisecond, cancel) // the wait has begun by then, or does not begin
	})
	_, err := client(t, Options{BaseURL: s.URL}).Do(ctx, Request{Method: "GET", Path: "/x"})
	var e *Error
	if !errors.As(err, &e) || !e.Cancelled || !errors.Is(err, context.Canceled) || hits.Load() != 1 {
		t.Fatalf("got %v after %d requests, want cancelled after 1", err, hits.Load())
	}
}

func TestAnAnswerOverTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	s, hits := server(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, MaxBody+1)) })
	_, err := client(t, Options{BaseURL: s.URL}).Do(t.Context(), Request{Method: "GET", Path: "/x", Repeatable: true})
	if err == nil || !strings.Contains(err.Error(), "8 MiB") || hits.Load() != 1 {
		t.Fatalf("got %v after %d requests, want the size named after 1", err, hits.Load())
	}
}

func TestTheVendorsGuessOfAWait(t *testing.T) {
	t.Parallel()
	s, hits := server(t, status(429))
	var seen string
	c := client(t, Options{BaseURL: s.URL, Refused: func(r *Response) time.Duration {
		seen = string(r.Body)
		return 10 * time.Second
	}})
	r, err := c.Do(t.Context(), Request{Method: "GET", Path: "/x", Repeatable: true})
	if err != nil || r.Status != 429 || hits.Load() != 1 {
		t.Fatalf("got %v %v after %d requests, want 429 of the only one", r, err, hits.Load())
	}
	if seen != `{"n":1}` {
		t.Errorf("the vendor's file saw %q, want the body", seen)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "api.example.com", "ftp://x", "http://", "://"} {
		if _, err := New(Options{BaseURL: base}); err == nil {
			t.Errorf("base URL %q was taken", base)
		}
	}
	if _, err := New(Options{BaseURL: "http://x", Header: http.Header{"Idempotency-Key": {"1"}}}); err == nil {
		t.Error("an Idempotency-Key header was taken")
	}
}

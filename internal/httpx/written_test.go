package httpx

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync"
	"testing"
	"time"
)

// TestARequestThatIsGivenUpWhileItGoesOutCountsAsWritten/over HTTP/2, where
// another goroutine writes the headers, and tells of it once they are out.
func TestARequestThatIsGivenUpWhileItGoesOutCountsAsWritten(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	c, err := New(Options{BaseURL: server.URL, Transport: server.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	back := make(chan struct{})
	var once sync.Once
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaderField: func(string, []string) {
		once.Do(func() {
			cancel()
			select {
			case <-back:
			case <-time.After(time.Minute):
			}
		})
	}})
	_, err = c.Do(ctx, Request{Method: http.MethodPost, Path: "/", Body: map[string]string{"a": "b"}})
	close(back)
	var e *Error
	if !errors.As(err, &e) || !e.Written {
		t.Errorf("got %+v, want an error that says that it may have arrived", err)
	}
}

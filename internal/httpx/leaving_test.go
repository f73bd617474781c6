package httpx

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestLeaving(t *testing.T) {
	t.Parallel()
	soon := func(t *testing.T, since time.Time) {
		t.Helper()
		if took := time.Since(since); took > 15*time.Second {
			t.Errorf("it took %v once the program ended", took)
		}
	}
	t.Run("a request of which something went out is waited for, and none begins after it", func(t *testing.T) {
		t.Parallel()
		leaving, leave := context.WithCancel(t.Context())
		s, got := server(t, func(w http.ResponseWriter, _ *http.Request) {
			leave()
			time.Sleep(50 * time.Millisecond) // for a client that gives up to do so
			w.WriteHeader(http.StatusOK)
		})
		c, ctx := client(t, Options{BaseURL: s.URL}), WithLeaving(t.Context(), leaving)
		if answer, err := c.Do(ctx, Request{Method: http.MethodPost, Path: "/", Body: 1}); err != nil || answer.Status != http.StatusOK {
			t.Errorf("got %v, %v, want its answer", answer, err)
		}
		_, err := c.Do(ctx, Request{Method: http.MethodPost, Path: "/", Body: 2})
		if failed, ok := errors.AsType[*Error](err); !ok || failed.Written || failed.What != errLeaving.Error() {
			t.Errorf("the next got %v, want that nothing was sent", err)
		}
		if n := got.Load(); n != 1 {
			t.Errorf("%d requests were sent, want 1", n)
		}
	})
	t.Run("what is refused is not tried again", func(t *testing.T) {
		t.Parallel()
		leaving, leave := context.WithCancel(t.Context())
		began := time.Now()
		s, got := server(t, func(w http.ResponseWriter, _ *http.Request) {
			time.AfterFunc(20*time.Millisecond, leave) // in the wait, or shortly before it
			w.Header().Set("Retry-After", "20")
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		answer, err := client(t, Options{BaseURL: s.URL}).Do(WithLeaving(t.Context(), leaving), Request{Method: http.MethodPost, Path: "/", Body: 1})
		if err != nil || answer.Status != http.StatusServiceUnavailable || got.Load() != 1 {
			t.Errorf("got %v, %v after %d requests, want the refusal of the only one", answer, err, got.Load())
		}
		soon(t, began)
	})
	t.Run("a host that takes no connection is not waited for", func(t *testing.T) {
		t.Parallel()
		leaving, leave := context.WithCancel(t.Context())
		began := time.Now()
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			leave()
			<-ctx.Done()
			return nil, ctx.Err()
		}
		c := client(t, Options{BaseURL: "http://127.0.0.1:1", Transport: &http.Transport{DialContext: dial}})
		_, err := c.Do(WithLeaving(t.Context(), leaving), Request{Method: http.MethodPost, Path: "/", Body: 1})
		if failed, ok := errors.AsType[*Error](err); !ok || failed.Written || failed.What != errLeaving.Error() {
			t.Errorf("got %v, want that nothing was sent", err)
		}
		soon(t, began)
	})
}

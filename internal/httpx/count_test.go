package httpx_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

func TestRequestsOfAContextAreCountedRepeatsToo(t *testing.T) {
	t.Parallel()
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(srv.Close)
	c, err := httpx.New(httpx.Options{BaseURL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	ctx, requests := httpx.Count(t.Context())
	for range 2 {
		if _, err := c.Do(ctx, httpx.Request{Method: http.MethodGet, Path: "/x", Repeatable: true}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Do(t.Context(), httpx.Request{Method: http.MethodGet, Path: "/x"}); err != nil {
		t.Fatal(err)
	}
	if requests() != 3 || asked != 4 {
		t.Errorf("%d of %d requests were counted, want 3 of 4", requests(), asked)
	}
}

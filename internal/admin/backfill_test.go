package admin_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
)

var march = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)

type fill func(context.Context, string, admin.BackfillOrder, func(admin.BackfillProgress)) (admin.BackfillProgress, error)

func filling(t *testing.T, f fill) (*admin.Client, *httptest.Server) {
	srv := httptest.NewServer(admin.Handler(&admin.Desk{Ledger: keeperDesk(t).Ledger, Backfills: f}, nil))
	t.Cleanup(srv.Close)
	return admin.NewClient(srv.Listener.Addr().String()), srv
}

func TestBackfill(t *testing.T) {
	t.Parallel()
	order := admin.BackfillOrder{From: march, Until: march.Add(time.Hour), Name: "1h", Open: true, Rate: 2}
	t.Run("the daemon tells of every page, and how it ended", func(t *testing.T) {
		t.Parallel()
		steps := []admin.BackfillProgress{{From: march, Read: 10, New: 1, Part: 0.5}, {From: march, Read: 20, New: 2, Part: 0.9, Waiting: "busy", WaitUntil: march}}
		end := admin.BackfillProgress{From: march, Read: 25, New: 3, Part: 1, Done: true}
		c, _ := filling(t, func(_ context.Context, source string, o admin.BackfillOrder, tell func(admin.BackfillProgress)) (admin.BackfillProgress, error) {
			if source != "my telli" || o != order {
				t.Errorf("ordered %q %+v", source, o)
			}
			for _, s := range steps {
				tell(s)
			}
			tell(end)
			return end, nil
		})
		var told []admin.BackfillProgress
		got, err := c.Backfill(t.Context(), "my telli", order, func(p admin.BackfillProgress) { told = append(told, p) })
		if err != nil || got != end || !reflect.DeepEqual(told, steps) {
			t.Errorf("got %+v, %v; told %+v", got, err, told)
		}
	})
	t.Run("an error comes with how far it came", func(t *testing.T) {
		t.Parallel()
		c, _ := filling(t, func(context.Context, string, admin.BackfillOrder, func(admin.BackfillProgress)) (admin.BackfillProgress, error) {
			return admin.BackfillProgress{Pages: 3}, errors.New("the vendor refused")
		})
		if got, err := c.Backfill(t.Context(), "telli", order, nil); err == nil || err.Error() != "the vendor refused" || got.Pages != 3 || got.Done {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("who hangs up stops it, and one source has one at a time", func(t *testing.T) {
		t.Parallel()
		begun, over := make(chan struct{}), make(chan struct{})
		c, _ := filling(t, func(ctx context.Context, source string, _ admin.BackfillOrder, _ func(admin.BackfillProgress)) (admin.BackfillProgress, error) {
			if source == "other" {
				return admin.BackfillProgress{Done: true}, nil
			}
			close(begun)
			<-ctx.Done()
			close(over)
			return admin.BackfillProgress{}, ctx.Err()
		})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-begun
			if _, err := c.Backfill(t.Context(), "telli", order, nil); err == nil || !strings.Contains(err.Error(), "running already") {
				t.Errorf("a second one: %v", err)
			}
			if _, err := c.Backfill(t.Context(), "other", order, nil); err != nil {
				t.Errorf("that of another source: %v", err)
			}
			cancel()
		}()
		if _, err := c.Backfill(ctx, "telli", order, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		<-over
	})
	t.Run("a daemon that ends is no success", func(t *testing.T) {
		t.Parallel()
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{\"read\":1}\n")) }))
		defer srv.Close()
		if _, err := admin.NewClient(srv.Listener.Addr().String()).Backfill(t.Context(), "telli", order, nil); err == nil || !strings.Contains(err.Error(), "ended before") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("what makes no sense is refused", func(t *testing.T) {
		t.Parallel()
		c, srv := filling(t, func(context.Context, string, admin.BackfillOrder, func(admin.BackfillProgress)) (admin.BackfillProgress, error) {
			t.Error("it was done")
			return admin.BackfillProgress{}, nil
		})
		for _, o := range []admin.BackfillOrder{{}, {From: march, Until: march}, {From: march, Until: march.Add(1), Rate: -1}} {
			if _, err := c.Backfill(t.Context(), "telli", o, nil); err == nil {
				t.Errorf("%+v was taken", o)
			}
		}
		resp, err := http.Post(srv.URL+"/api/sources/telli/backfill", "application/json", strings.NewReader("from=1"))
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("no JSON: %s", resp.Status)
		}
		srv.Close()
		c = admin.NewClient(srv.Listener.Addr().String())
		if _, err := c.Backfill(t.Context(), "telli", admin.BackfillOrder{From: march, Until: march.Add(1)}, nil); !errors.Is(err, admin.ErrUnreachable) {
			t.Errorf("no daemon: %v", err)
		}
	})
}

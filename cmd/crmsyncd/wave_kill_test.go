package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/sources"
)

// TestKilledInALongWave kills a real daemon in the middle of 200 posts of one wave,
// once it has kept what became of the first half. What the receiver has taken is not
// posted again; what was under way is, under the id that it had.
func TestKilledInALongWave(t *testing.T) {
	t.Parallel()
	// half is not where a wave ends, should there be several; and none ends because
	// its requests take too long.
	const events, perSecond, half = 200, 50, 137
	var mu sync.Mutex
	most := half // posts that are taken
	posts := map[string]int{}
	under := map[string]bool{}  // posts that the kill cut off
	open := make(chan struct{}) // the first waits for it, so that all others are in one wave
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-open:
		case <-r.Context().Done():
			return
		}
		id := r.Header.Get("Webhook-Id")
		mu.Lock()
		defer mu.Unlock()
		if len(posts) < most {
			posts[id]++
			return
		}
		under[id] = true
		mu.Unlock()
		<-r.Context().Done() // the daemon is killed
		mu.Lock()
	}))
	defer receiver.Close()
	p := &process{t: t, dir: t.TempDir()}
	listen, private := address(t), "unix:"+filepath.Join(p.dir, "admin.sock")
	for name, text := range map[string]string{"config.yaml": fmt.Sprintf(`
listen: %s
admin: %s
data_dir: ./data
mapping: mapping.yaml
sources:
  telli: {type: telli, signing_secret: "%s"}
connectors:
  webhook: {type: webhook, url: %s/x, unsigned: true, allow_private: ["true"], requests_per_second: %d, timeout: 10m}
`+slowDisk, listen, private, testSecret, receiver.URL, perSecond), "mapping.yaml": roadMapping["webhook"]} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.start()
	defer func() { _ = p.cmd.Process.Kill() }()
	if _, err := readyAt(private); err != nil {
		t.Fatalf("%v: %s", err, p.err.String())
	}
	src, err := telliSource(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	begin := time.Now().Add(-24 * time.Hour).Truncate(time.Hour)
	for n := range events {
		body, err := src.(sources.Sampler).Sample("call_completed", n, begin)
		if err != nil {
			t.Fatal(err)
		}
		if _, status, err := (sender{source: src}).post(ctx, "http://"+listen+"/hooks/telli", body, fmt.Sprint("msg_", n)); err != nil || status != 200 {
			t.Fatal(status, err)
		}
	}
	close(open)
	client := admin.NewClient(private)
	if err := poll(func() error {
		s, err := client.Status(ctx)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if c := s.Connectors[0]; len(under) == 0 || c.Done < half {
			return fmt.Errorf("%d posts were taken, %d are under way, %d are kept as done", len(posts), len(under), c.Done)
		}
		return nil
	}); err != nil {
		t.Fatal(err, p.err.String())
	}
	if err := p.end(syscall.SIGKILL); err == nil {
		t.Fatal("the daemon ended before it was killed")
	}
	mu.Lock()
	most = 2 * events
	mu.Unlock()
	p.start()
	if err := settledAt(private, events); err != nil {
		t.Fatalf("%v\nthe daemon said:\n%s", err, p.err.String())
	}
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Errorf("stopped with %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	for id, n := range posts {
		if n > 1 {
			t.Errorf("%s was taken %d times", id, n)
		}
	}
	for id := range under {
		if posts[id] == 0 {
			t.Errorf("%s, which the kill cut off, came again under another id", id)
		}
	}
	if len(posts) != events {
		t.Errorf("%d posts, want %d", len(posts), events)
	}
}

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

	"github.com/crmsyncd/crmsyncd/sources"
)

// TestKilledInALongWave kills a real daemon in the middle of 200 posts of one wave
// to a slow receiver. What the receiver has taken is not posted again but for
// the last moment's, and those under the id that they had.
func TestKilledInALongWave(t *testing.T) {
	t.Parallel()
	const events, perSecond, most = 200, 50, 30
	var mu sync.Mutex
	posts := map[string]int{}
	taken := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(posts)
	}
	open := make(chan struct{}) // the first waits for it, so that all others are in one wave
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-open:
		case <-r.Context().Done():
			return
		}
		mu.Lock()
		defer mu.Unlock()
		posts[r.Header.Get("Webhook-Id")]++
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
  webhook: {type: webhook, url: %s/x, unsigned: true, allow_private: ["true"], requests_per_second: %d}
`, listen, private, testSecret, receiver.URL, perSecond), "mapping.yaml": roadMapping["webhook"]} {
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
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
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
	if err := poll(func() error {
		if n := taken(); n < events/2 {
			return fmt.Errorf("%d posts", n)
		}
		return nil
	}); err != nil {
		t.Fatal(err, p.err.String())
	}
	if err := p.end(syscall.SIGKILL); err == nil {
		t.Fatal("the daemon ended before it was killed")
	}
	before := taken()
	p.start()
	if err := settledAt(private, events); err != nil {
		t.Fatalf("%v\nthe daemon said:\n%s", err, p.err.String())
	}
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Errorf("stopped with %v", err)
	}
	repeated := 0
	for id, n := range posts {
		if n > 1 {
			repeated++
		}
		if n > 2 {
			t.Errorf("%s came %d times", id, n)
		}
	}
	t.Logf("killed after %d posts of %d; %d came again", before, events, repeated)
	if len(posts) != events || repeated > most {
		t.Errorf("%d posts, %d of them again, want %d and at most %d", len(posts), repeated, events, most)
	}
}

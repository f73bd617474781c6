package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/sources"
)

// TestKillWhileATokenIsRenewed kills the daemon again and again between the
// vendors' use of a refresh token and our saving of the new one: nobody must
// be asked for a consent again, and every call must be in both CRMs once. The
// emulated vendors answer a used refresh token once more for a minute; without
// that nothing on our side could help.
func TestKillWhileATokenIsRenewed(t *testing.T) {
	t.Parallel()
	sb := sandbox.New(sandbox.Options{Unlimited: true, RefreshGrace: time.Minute})
	crm := httptest.NewServer(sb)
	defer crm.Close()
	p := &process{t: t, dir: t.TempDir()}
	listen, private := address(t), "unix:"+filepath.Join(p.dir, "admin.sock")
	if err := writeConfig(p.dir, listen, private, crm.URL); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.dir, "config.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	granted := strings.NewReplacer("access_token: pat-eu1-secret-token", "client_id: app, client_secret: hunter2", "access_token: pat-secret-token", "client_id: app, client_secret: hunter2").Replace(string(text))
	if err := os.WriteFile(path, []byte(granted+slowDisk), 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	defer func() { _ = p.cmd.Process.Kill() }()
	if _, err := readyAt(private); err != nil {
		t.Fatal(err)
	}
	client := admin.NewClient(private)
	for _, connector := range []string{"hubspot", "airtable"} {
		a, err := client.Consent(t.Context(), connector, "http://localhost:1/callback")
		if err != nil {
			t.Fatal(err)
		}
		to, err := endOf(a.Page)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Grant(t.Context(), connector, a.State, to.Query().Get("code")); err != nil {
			t.Fatal(err)
		}
	}
	renewals := func() (n int) {
		for _, r := range sb.Requests("") {
			if strings.HasSuffix(r.Path, "/token") {
				n++
			}
		}
		return n
	}
	src, err := telliSource(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	const rounds = 3
	for n := range rounds {
		faults := `[{"path":"/v0/","status":401,"times":1},{"path":"/crm/","status":401,"times":1},{"path":"/token","latency_ms":2000,"times":2}]`
		if r, err := http.Post(crm.URL+"/_/faults", "application/json", strings.NewReader(faults)); err != nil || r.StatusCode != 200 {
			t.Fatal(r, err)
		}
		before := renewals()
		body, err := src.(sources.Sampler).Sample("call_completed", n+1, time.Now().Add(-time.Hour).Truncate(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if _, status, err := (sender{source: src}).post(t.Context(), "http://"+listen+"/hooks/telli", body, fmt.Sprintf("msg_%d", n)); err != nil || status != 200 {
			t.Fatal(status, err)
		}
		if err := poll(func() error {
			if got := renewals() - before; got < 2 {
				return fmt.Errorf("%d of 2 vendors were asked for a new token", got)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := p.end(syscall.SIGKILL); err == nil {
			t.Fatal("the daemon ended before it was killed")
		}
		p.start()
		if _, err := readyAt(private); err != nil {
			t.Fatal(err)
		}
		if err := settledAt(private, uint64(n+1)); err != nil {
			t.Fatalf("round %d: %v", n, err)
		}
		// One that has just replaced a refused token would not do so again.
		if err := p.end(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		p.start()
		if _, err := readyAt(private); err != nil {
			t.Fatal(err)
		}
	}
	for _, object := range [][2]string{{"hubspot", "contacts"}, {"hubspot", "calls"}, {"airtable", "Contacts"}, {"airtable", "Calls"}} {
		if got := len(sb.Records(object[0], object[1])); got != rounds {
			t.Errorf("%s has %d %s, want %d", object[0], got, object[1], rounds)
		}
	}
	if strings.Contains(p.err.String(), "hunter2") {
		t.Error("the log shows the client secret")
	}
}

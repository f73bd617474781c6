package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/sources"
)

// A point must be reached once, however long that takes here; whether it is reached
// again is tried for a while.
const (
	crashPointPatience = 2 * time.Minute
	crashAgainPatience = 8 * time.Second
)

// crashed is a daemon that dies at one point.
type crashed struct {
	*soak
	run string // name:n
	// patience is for the point to be reached.
	patience time.Duration
	hit      bool // the point was reached
	got      tally
}

func newCrashed(t *testing.T, bin, run string) *crashed {
	o := soakOptions{bin: bin, quick: true, rest: 40 * time.Millisecond, lag: 100 * time.Millisecond, more: slowDisk}
	if strings.HasPrefix(run, "oauth.") {
		o.hubspot = "client_id: app, client_secret: hunter2"
	}
	if strings.HasPrefix(run, "expire.") {
		o.more += "retention: {done: 1h, unmatched: 1h, discarded: 1h, dead: 1h, quarantined: 1h}\n"
	}
	c := &crashed{soak: newSoak(t, 1, o), run: run, patience: crashAgainPatience}
	if strings.HasSuffix(run, ":1") {
		c.patience = crashPointPatience
	}
	c.meet(8)
	t.Cleanup(func() {
		if c.p.cmd != nil {
			_ = c.p.cmd.Process.Kill()
		}
		if t.Failed() {
			t.Log(c.said())
		}
	})
	return c
}

// arm has what is started next die at the point; again with "" it lives.
func (c *crashed) arm(run string, more ...string) {
	c.p.env = more
	if run != "" {
		c.p.env = append(c.p.env, "CRASHPOINT="+run)
	}
}

// dies waits for the end of the daemon and reports whether it was at the point.
func (c *crashed) dies(ctx context.Context) bool {
	select {
	case err := <-c.exited:
		c.exited <- err
		return c.told(c.p.err.String())
	case <-ctx.Done():
		return false
	}
}

func (c *crashed) told(text string) bool {
	point, _, _ := strings.Cut(c.run, ":")
	return strings.Contains(text, "crashpoint "+point+"\n")
}

// traffic sends until the daemon dies, and lets it begin anew.
func (c *crashed) traffic() { c.during(nil) }

// during has something done while events come in.
func (c *crashed) during(act func(context.Context) error) {
	c.arm(c.run)
	c.start()
	ctx, cancel := context.WithTimeout(c.t.Context(), c.patience)
	defer cancel()
	sending := c.sending(ctx, 1)
	if act != nil {
		go func() { _ = act(ctx) }() // the daemon dies of it
	}
	c.hit = c.dies(ctx)
	cancel()
	if !c.hit {
		c.stop(syscall.SIGKILL)
	}
	c.arm("")
	c.start()
	sending.Wait()
	if act != nil {
		if _, err := readyAt(c.private); err != nil {
			c.t.Fatal(err)
		}
		if err := act(c.t.Context()); err != nil {
			c.t.Errorf("the second time: %v", err)
		}
	}
	c.look()
}

// look checks everything once it has settled.
func (c *crashed) look() {
	c.got = c.calm()
	c.verify()
	c.stop(syscall.SIGTERM)
}

// some has the daemon take events for a moment.
func (c *crashed) some() {
	if _, err := readyAt(c.private); err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), 300*time.Millisecond)
	defer cancel()
	c.sending(ctx, 2).Wait()
}

// begins starts the daemon, which must die on its way.
func (c *crashed) begins(more ...string) {
	c.arm(c.run, more...)
	c.start()
	ctx, cancel := context.WithTimeout(c.t.Context(), c.patience)
	defer cancel()
	if c.hit = c.dies(ctx); !c.hit {
		c.stop(syscall.SIGKILL)
	}
	c.arm("", more...)
	c.start()
}

func (c *crashed) creation() {
	c.begins()
	c.some()
	c.look()
}

// uncleanStart has the ledger copied, as after a commit that failed.
func (c *crashed) uncleanStart() {
	c.start()
	c.some()
	c.stop(syscall.SIGKILL)
	if err := os.WriteFile(filepath.Join(c.p.dir, "data", "ledger.db.suspect"), nil, 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.begins()
	c.some()
	c.look()
}

func (c *crashed) compaction() {
	c.during(func(ctx context.Context) error {
		if _, err := readyAt(c.private); err != nil {
			return err
		}
		_, err := admin.NewClient(c.private).Compact(ctx, true, nil)
		return err
	})
	if left, _ := filepath.Glob(filepath.Join(c.p.dir, "data", "*.compact")); len(left) > 0 {
		c.t.Errorf("%v is left", left)
	}
}

// erasure forgets somebody beside whom the events are about.
func (c *crashed) erasure() {
	const who = 900
	contact := fmt.Sprintf("0f9a6b2e-0000-4d11-8a31-%012d", who)
	body, err := c.src.(sources.Sampler).Sample("status_closed", who, c.begin)
	if err != nil {
		c.t.Fatal(err)
	}
	c.strangers[contact] = true
	c.during(func(ctx context.Context) error {
		if _, err := readyAt(c.private); err != nil {
			return err
		}
		// A second time it is a repeated one, whether or not it was erased.
		if _, status, err := (sender{source: c.src}).post(ctx, "http://"+c.listen+"/hooks/telli", body, "msg_stranger"); err != nil || status != 200 {
			return fmt.Errorf("%d, %w", status, err)
		}
		_, err := admin.NewClient(c.private).Erase(ctx, admin.Person{ID: contact}, false, nil)
		return err
	})
}

// backfill brings in three calls that no webhook told.
func (c *crashed) backfill() {
	c.vendor("contacts", `{"contact_id": "k-1", "first_name": "Erika", "last_name": "Mustermann", "email": "erika@example.com", "phone_number": "+493023125017", "status": "reached"}`)
	from := c.begin.Add(-time.Hour)
	for n := range 3 {
		at := from.Add(time.Duration(n+1) * time.Minute).UnixMilli()
		c.vendor("calls", fmt.Sprintf(`{"call_id": "c-%d", "contact_id": "k-1", "direction": "outbound", "from_number": "+493023125900", "to_number": "+493023125017", "triggered_at": %d, "started_at": %d, "ended_at": %d}`, n, at, at, at+1000))
		c.strangers[fmt.Sprint("c-", n)] = true
	}
	c.strangers["k-1"], c.others = true, 3
	c.during(func(ctx context.Context) error {
		if _, err := readyAt(c.private); err != nil {
			return err
		}
		p, err := admin.NewClient(c.private).Backfill(ctx, "telli", admin.BackfillOrder{From: from, Until: c.begin.Add(-time.Minute), Name: "an hour"}, nil)
		if err == nil && !p.Done {
			err = fmt.Errorf("the backfill stopped: %+v", p)
		}
		return err
	})
}

// vendor puts a record into the emulated vendor.
func (c *crashed) vendor(object, text string) {
	resp, err := http.Post(c.crm+"/_/records/telli/"+object, "application/json", strings.NewReader(text))
	if err != nil {
		c.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		c.t.Fatalf("%s: %s", object, resp.Status)
	}
}

// sweep waits for the closing of a call whose end never comes.
func (c *crashed) sweep() {
	const call = "ua0-exa-prd-1772616601.1042"
	body := `{"call_id": "` + call + `", "timestamp": "2026-03-04T09:30:01.412031+00:00", "status": "created", "version": "v2", "direction": "inbound", "caller": {"number": "+493023125042", "name": "Erika"}, "destination": {"number": "+493023125900"}}`
	c.strangers[call], c.others = true, 2
	c.during(func(ctx context.Context) error {
		if _, err := readyAt(c.private); err != nil {
			return err
		}
		resp, err := http.Post("http://"+c.listen+"/hooks/phones/"+soakToken, "application/json", strings.NewReader(body))
		if err != nil {
			return err
		}
		resp.Body.Close()
		return poll(func() error {
			list, err := c.listed()
			if err == nil && !strings.Contains(string(list), `"origin": "reconcile"`) {
				err = fmt.Errorf("%s: the call was not closed", resp.Status)
			}
			return err
		})
	})
}

// renewal has HubSpot refuse an access token that a person granted.
func (c *crashed) renewal() {
	c.start()
	if _, err := readyAt(c.private); err != nil {
		c.t.Fatal(err)
	}
	client := admin.NewClient(c.private)
	a, err := client.Consent(c.t.Context(), "hubspot", "http://localhost:1/callback")
	if err != nil {
		c.t.Fatal(err)
	}
	to, err := endOf(a.Page)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := client.Grant(c.t.Context(), "hubspot", a.State, to.Query().Get("code")); err != nil {
		c.t.Fatal(err)
	}
	c.stop(syscall.SIGTERM)
	c.fault(http.MethodPost, `{"crm":"hubspot","path":"/crm/","status":401,"times":1}`)
	c.traffic()
}

// backup is a process of its own that dies; the daemon does not notice.
func (c *crashed) backup() {
	c.start()
	c.some()
	file := filepath.Join(c.p.dir, "backup.db")
	c.arm(c.run)
	out, _ := c.p.command("ledger", "backup", file).CombinedOutput()
	c.hit = c.told(string(out))
	c.arm("")
	if _, err := os.Stat(file); err == nil {
		if out, err := c.p.command("ledger", "verify", file).CombinedOutput(); err != nil {
			c.t.Errorf("the backup that has its name is not sound: %v: %s", err, out)
		}
		file += ".again"
	}
	if out, err := c.p.command("ledger", "backup", file).CombinedOutput(); err != nil {
		c.t.Errorf("the next backup: %v: %s", err, out)
	}
	c.look()
}

// restore puts a backup of all that there is in place.
func (c *crashed) restore() {
	c.start()
	c.some()
	if err := c.settle(); err != nil {
		c.t.Fatal(err)
	}
	c.stop(syscall.SIGTERM)
	file := filepath.Join(c.p.dir, "backup.db")
	if out, err := c.p.command("ledger", "backup", file).CombinedOutput(); err != nil {
		c.t.Fatalf("%v: %s", err, out)
	}
	c.arm(c.run)
	out, _ := c.p.command("ledger", "restore", file).CombinedOutput()
	c.hit = c.told(string(out))
	c.arm("")
	if out, err := c.p.command("ledger", "restore", file).CombinedOutput(); err != nil {
		c.t.Errorf("the second time: %v: %s", err, out)
	}
	c.start()
	c.some()
	c.look()
}

// old is a ledger of an older crmsyncd, with six events of long ago.
func (c *crashed) old() {
	packed, err := os.ReadFile(filepath.Join("..", "..", "store", "bolt", "testdata", "schema2.db.gz"))
	if err != nil {
		c.t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		c.t.Fatal(err)
	}
	file, err := io.ReadAll(z)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(c.p.dir, "data"), 0o700); err != nil {
		c.t.Fatal(err)
	}
	c.write(filepath.Join("data", "ledger.db"), string(file))
}

// count waits until the ledger holds a number of events that is right.
func (c *crashed) count(right func(int) bool) {
	// Without a daemon the command opens the ledger itself, and would be in its way.
	if _, err := readyAt(c.private); err != nil {
		c.t.Fatal(err)
	}
	err := poll(func() error {
		text, err := c.listed()
		if err != nil {
			return err
		}
		var list []admin.Event
		if err := json.Unmarshal(text, &list); err != nil {
			return err
		}
		if !right(len(list)) {
			return fmt.Errorf("%d events are listed", len(list))
		}
		return nil
	})
	if err != nil {
		c.t.Error(err)
	}
}

func (c *crashed) upgrade() {
	c.old()
	c.begins()
	c.count(func(n int) bool { return n == 6 })
	c.verify()
	c.stop(syscall.SIGTERM)
}

// expiry lets go of what is old, right after the start.
func (c *crashed) expiry() {
	c.old()
	c.begins("CRASHPOINT_SOON=1")
	c.count(func(n int) bool { return n < 6 })
	c.verify()
	c.stop(syscall.SIGTERM)
}

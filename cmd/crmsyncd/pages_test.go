package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

const pagesToken = "0123456789abcdef-anna"

// TestPagesInABrowser has a real browser do what an administrator does at night:
// sign in, see what is dead and why, and once the mapping is mended have it tried
// again, until it is delivered; with scripts and without. make page-test runs it.
func TestPagesInABrowser(t *testing.T) {
	if os.Getenv("PAGES") == "" {
		t.Skip("PAGES=1 runs it, with a browser: make page-test")
	}
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) { night(t, scripts) })
	}
}

func night(t *testing.T, scripts bool) {
	a := prepareAttacked(t, `admin_access:
  users:
    anna: {role: operate, token: `+pagesToken+`}
    bert: {role: read, token: 0123456789abcdef-bert}
`)
	a.env = append(a.env, adminToken+"="+pagesToken)
	mapping := a.read("mapping.yaml")
	a.file("mapping.yaml", strings.ReplaceAll(mapping, "hs_call_title", "hs_call_colour"))
	a.start()
	t.Cleanup(func() { _ = a.end(syscall.SIGTERM) })
	client := admin.NewClientFor(a.private, pagesToken, nil)
	if err := poll(func() error { _, err := client.Status(t.Context()); return err }); err != nil {
		t.Fatalf("%v\n%s", err, a.err.String())
	}
	hostile := `<script>document.title="owned"</script>`
	a.gives("call", a.signed(a.call(1, func(_, contact map[string]any) {
		contact["first_name"], contact["last_name"] = hostile, "Beispiel"
	}), newMessageID(), time.Now()), 200, "accepted")
	a.gives("call", a.signed(a.call(2, nil), newMessageID(), time.Now()), 200, "accepted")
	a.gives("text", a.signed(`{"event": `, newMessageID(), time.Now()), 200, "quarantined")
	state := func(id store.DeliveryID) store.State {
		e, err := client.Event(context.Background(), id.Seq)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range e.Deliveries {
			if d.Connector == id.Connector {
				return d.State
			}
		}
		return ""
	}
	becomes := func(seq uint64, want store.State) {
		t.Helper()
		if err := poll(func() error {
			if got := state(store.DeliveryID{Seq: seq, Connector: "hubspot"}); got != want {
				return fmt.Errorf("evt_%d.hubspot is %s, want %s", seq, got, want)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	becomes(1, store.Dead)
	becomes(2, store.Dead)

	b := newBrowser(t, scripts)
	home := "http://" + a.private
	b.open(home + "/deliveries?state=dead")
	b.says("Your token")
	b.shoot("login")
	b.write("//input[@name='token']", "not-a-token-of-anybody")
	b.click("//main//button")
	b.says("this is the token of no user")
	b.write("//input[@name='token']", pagesToken)
	b.click("//main//button")
	b.says("Deliveries", "evt_1", "hs_call_colour", "mend the rule") // where the browser was going
	b.shoot("deliveries")

	b.click("//nav//a[text()='Overview']")
	b.says("ready", "What needs a look", "2 dead deliveries", "1 event could not be understood", "Connectors", "hubspot", "airtable", "Sources", "anna")
	b.shoot("overview")
	b.click("//nav//a[text()='Events']")
	b.says("evt_1", "evt_2", "quarantined")
	b.shoot("events")
	b.click("//a[text()='evt_1']")
	b.says("What became of it", "•••", "Show values")
	if strings.Contains(b.text(), "Beispiel") {
		t.Error("a name is shown before it is asked for")
	}
	b.click("//button[text()='Show values']")
	b.says(hostile, "That you looked is in the audit trail")
	b.shoot("event")
	var title string
	if b.do("GET", "/title", nil, &title); !strings.Contains(title, "evt_1") {
		t.Errorf("what somebody is called ran as a script: the title is %q", title)
	}
	if got := b.complaints(); len(got) > 1 { // of the wrong token's 401
		t.Errorf("the browser complains: %q", got)
	}

	// The mapping is mended, and what is dead is tried again.
	a.file("mapping.yaml", mapping)
	if err := a.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := poll(func() error {
		p, err := client.Preview(t.Context(), []uint64{1})
		if err == nil && !strings.Contains(fmt.Sprint(p), "hs_call_title") {
			err = fmt.Errorf("the mended mapping is not in force")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	b.click("//nav//a[text()='Deliveries']")
	b.click("//a[@aria-label='Retry evt_1.hubspot']")
	b.says("Retry 1 delivery?", "What would be written now", "hs_call_title")
	b.shoot("order")
	if got := state(store.DeliveryID{Seq: 1, Connector: "hubspot"}); got != store.Dead {
		t.Errorf("asking back changed the delivery to %s", got)
	}
	b.click("//button[text()='Retry']")
	b.says("Retrying 1 delivery.")
	becomes(1, store.Done)
	if scripts {
		b.says("created") // the page is shown anew by itself
	} else {
		b.do("POST", "/refresh", map[string]any{}, nil)
		b.says("created")
	}
	if calls := a.hubspot("calls", "telli_call_id", a.callID(1)); len(calls) != 1 {
		t.Errorf("the CRM has %d calls, want 1", len(calls))
	}

	// The other one is not wanted.
	b.click("//nav//a[text()='Deliveries']")
	b.click("//input[@aria-label='Choose evt_2.hubspot']")
	b.click("//button[text()='Discard those chosen…']")
	b.write("//input[@name='reason']", "a test call")
	b.click("//button[text()='Discard']")
	b.says("Discarded 1 delivery.", "a test call")
	becomes(2, store.Discarded)

	b.click("//nav//a[text()='Audit']")
	b.says("deliveries retry", "deliveries discard", "a test call", admin.ShowValues, "anna")
	b.shoot("audit")
	b.click("//nav//a[text()='Reconcile']")
	b.says("Nothing has been compared yet")
	if _, err := client.Reconcile(t.Context(), admin.ReconcileOrder{Connector: "hubspot"}, nil); err != nil {
		t.Fatal(err)
	}
	b.do("POST", "/refresh", map[string]any{}, nil)
	b.click("//a[text()='1']")
	b.says("What it found")
	b.shoot("run")
	if got := b.complaints(); len(got) > 0 {
		t.Errorf("the browser complains: %q", got)
	}

	// A connector is parked, and a reload refused.
	req, err := http.NewRequest(http.MethodPost, a.crm+"/_/faults", strings.NewReader(`[{"crm": "airtable", "status": 401, "times": 1000}]`))
	if err != nil {
		t.Fatal(err)
	}
	a.gives("faults", req, 200, "")
	a.gives("call", a.signed(a.call(3, nil), newMessageID(), time.Now()), 200, "accepted")
	a.file("mapping.yaml", strings.Replace(mapping, "=contact.email", "=contact.emial", 1))
	if err := a.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := poll(func() error {
		s, err := client.Status(t.Context())
		if err == nil && (s.Settings.Failure == "" || s.Connectors[0].State != "parked") {
			err = fmt.Errorf("not yet: %+v", s.Connectors[0])
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	b.click("//nav//a[text()='Overview']")
	b.says("The last reload was refused", "did you mean contact.email", "parked", "Mend what it says", "FAIL")
	b.shoot("trouble")

	// Who may only read sees no button, and who signed out sees nothing.
	b.click("//button[text()='Sign out']")
	b.says("Your token")
	b.open(home + "/events/evt_1")
	b.says("Your token")
	b.write("//input[@name='token']", "0123456789abcdef-bert")
	b.click("//main//button")
	b.says("What became of it", "Show values")
	if text := b.text(); strings.Contains(text, "Replay") {
		t.Errorf("a role that may only read sees buttons:\n%s", text)
	}

	// While the daemon is away, the page says so; then it goes on, to the door.
	if !scripts {
		return
	}
	b.click("//nav//a[text()='Overview']")
	b.says("live", "bert")
	if err := a.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	b.says("the daemon does not answer", "ready")
	a.file("mapping.yaml", mapping)
	a.start()
	b.says("Your token")
}

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/doctor"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// ward is a daemon with an emulated world, in which things go wrong.
type ward struct {
	*process
	crm     *httptest.Server
	private string
}

// newWard writes settings and rules; nothing runs yet. $SANDBOX in the settings
// is the emulated world.
func newWard(t *testing.T, settings, rules string) *ward {
	t.Helper()
	crm := httptest.NewServer(sandbox.New(sandbox.Options{Unlimited: true}))
	t.Cleanup(crm.Close)
	w := &ward{process: &process{t: t, dir: t.TempDir()}, crm: crm}
	w.private = "unix:" + filepath.Join(w.dir, "admin.sock")
	settle(t, w.dir, strings.ReplaceAll(settings, "$SANDBOX", crm.URL))
	w.write("mapping.yaml", rules)
	return w
}

func (w *ward) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// edit replaces text in a file, once.
func (w *ward) edit(name, from, to string) {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	if strings.Count(string(text), from) != 1 {
		w.t.Fatalf("%s has not %q once", name, from)
	}
	w.write(name, strings.Replace(string(text), from, to, 1))
}

// up starts the daemon.
func (w *ward) up() {
	w.t.Helper()
	w.start()
	cmd := w.cmd
	w.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := readyAt(w.private); err != nil {
		w.t.Fatalf("%v\n%s", err, w.err.String())
	}
}

func (w *ward) down() {
	w.t.Helper()
	if err := w.end(syscall.SIGTERM); err != nil {
		w.t.Fatalf("%v\n%s", err, w.err.String())
	}
}

// post posts a body as telli, and wants an answer.
func (w *ward) post(body string, want int) {
	w.t.Helper()
	src, err := telliSource(testSecret)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := admin.NewClient(w.private).Status(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if _, status, err := (sender{source: src}).post(w.t.Context(), "http://"+s.Listen+"/hooks/telli", []byte(body), newMessageID()); err != nil || status != want {
		w.t.Fatalf("the webhook was answered %d, %v; want %d", status, err, want)
	}
}

// call posts the sample of a finished call.
func (w *ward) call(n int) {
	w.t.Helper()
	src, err := telliSource(testSecret)
	if err != nil {
		w.t.Fatal(err)
	}
	body, err := src.(interface {
		Sample(string, int, time.Time) ([]byte, error)
	}).Sample("call_completed", n, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	w.post(string(body), http.StatusOK)
}

// faults has the emulated world misbehave; "" ends that.
func (w *ward) faults(list string) {
	w.t.Helper()
	method := http.MethodPost
	if list == "" {
		method = http.MethodDelete
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.crm.URL+"/_/faults", strings.NewReader(list))
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		w.t.Fatalf("faults: %s", resp.Status)
	}
}

// until waits until the daemon's status is as wanted.
func (w *ward) until(what string, is func(admin.Status) bool) {
	w.t.Helper()
	var s admin.Status
	if err := poll(func() (err error) {
		if s, err = admin.NewClient(w.private).Status(w.t.Context()); err == nil && !is(s) {
			err = io.ErrNoProgress
		}
		return err
	}); err != nil {
		w.t.Fatalf("%s never came: %v, %+v\n%s", what, err, s, w.err.String())
	}
}

// look has the doctor look, and ask CRMs and vendors too unless offline.
func (w *ward) look(offline bool) []doctor.Finding {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	return (&cli{config: filepath.Join(w.dir, "config.yaml")}).examine(ctx, offline)
}

// connectorIs tells of a connector's state.
func connectorIs(name, state string) func(admin.Status) bool {
	return func(s admin.Status) bool {
		for _, c := range s.Connectors {
			if c.Name == name {
				return c.State == state
			}
		}
		return false
	}
}

// aRule writes a field of a contact.
func aRule(to, object, fields string) string {
	return fmt.Sprintf("version: 1\nrules:\n  - name: %s\n    on: call.ended\n    to: %s\n    records:\n      - object: %s\n        match: telli_contact_id\n        fields:\n          telli_contact_id: =contact.id\n%s", to, to, object, fields)
}

const hubspotOnly = `connectors:
  hubspot: {type: hubspot, access_token: pat-eu1-secret-token, base_url: $SANDBOX/hubspot, requests_per_10s: 100000}
delivery: {backoff_min: 100ms, backoff_max: 200ms, drain: 5s}
`

var daemonAilments = []ailment{
	{"settings", []string{"settings", "settings-mistake", "settings-doubt"}, func(t *testing.T, s *stage) {
		w := newWard(t, plainSettings(hubspotOnly), aRule("hubspot", "contacts", "          email: =contact.email\n"))
		s.saw(w.look(true)...)
		if err := os.Chmod(filepath.Join(w.dir, "config.yaml"), 0o644); err != nil {
			t.Fatal(err)
		}
		s.has(w.look(true), "settings-doubt", "chmod o-r")
		w.edit("mapping.yaml", "=contact.email", "=contact.emial")
		s.has(w.look(true), "settings-mistake", "contact.email")
	}},
	{"a daemon that comes and goes", []string{"daemon-never-ran", "daemon", "daemon-down", "daemon-silent", "daemon-other-version", "ledger", "ledger-moved", "ledger-foreign", "webhooks", "webhooks-none", "events-quarantined", "reload-refused"}, func(t *testing.T, s *stage) {
		w := newWard(t, plainSettings(""), "version: 1\nrules: []\n")
		s.has(w.look(true), "daemon-never-ran", "systemctl enable --now crmsyncd")
		w.up()
		s.has(w.look(true), "webhooks-none", "/hooks/telli")
		w.call(1)
		w.post(`{"what":"nobody"`, http.StatusOK)
		s.has(w.look(true), "webhooks", "the last webhook came")
		s.has(w.look(true), "events-quarantined", "1 event could not be understood")
		w.write("mapping.yaml", "rules: [\n")
		if err := w.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		w.until("the refused reload", func(s admin.Status) bool { return s.Settings.Failure != "" })
		s.has(w.look(true), "reload-refused", "crmsyncd check")
		w.write("mapping.yaml", "version: 1\nrules: []\n")
		w.edit("config.yaml", "unix:./admin.sock", "unix:./other.sock")
		s.has(w.look(true), "daemon-silent", "it hangs")
		w.edit("config.yaml", "unix:./other.sock", "unix:./admin.sock")
		w.down()
		found := w.look(true)
		s.has(found, "daemon-down", "systemctl start crmsyncd")
		s.has(found, "ledger", "it can be opened")
		if err := os.Rename(filepath.Join(w.dir, "data"), filepath.Join(w.dir, "moved")); err != nil {
			t.Fatal(err)
		}
		w.edit("config.yaml", "./data", "./moved")
		w.env = []string{testVersion + "=0.9"}
		w.up()
		found = w.look(true)
		s.has(found, "daemon-other-version", "version 0.9 runs")
		s.has(found, "ledger-foreign", "crmsyncd ledger adopt")
		w.down()
		s.has(w.look(true), "ledger-moved", "crmsyncd ledger adopt")
	}},
	{"another program at the admin address", []string{"daemon-odd"}, func(t *testing.T, s *stage) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		other := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
		go func() { _ = other.Serve(l) }()
		t.Cleanup(func() { _ = other.Close() })
		w := newWard(t, strings.Replace(plainSettings(""), "unix:./admin.sock", l.Addr().String(), 1), "version: 1\nrules: []\n")
		s.has(w.look(true), "daemon-odd", "another program")
	}},
	{"ledgers", []string{"ledger-older", "ledger-newer", "ledger-damaged", "ledger-unread", "ledger-locked"}, func(t *testing.T, s *stage) {
		at := func(w *ward) string { return filepath.Join(w.dir, "data", "ledger.db") }
		for name, c := range map[string]struct{ id, text string }{
			"schema3": {"ledger-older", "crmsyncd ledger migrate"},
			"newer":   {"ledger-newer", "install the crmsyncd that wrote it"},
		} {
			w := newWard(t, plainSettings(""), "version: 1\nrules: []\n")
			unpack(t, name, at(w))
			s.has(w.look(true), c.id, c.text)
		}
		w := newWard(t, plainSettings(""), "version: 1\nrules: []\n")
		if err := os.Mkdir(filepath.Join(w.dir, "data"), 0o700); err != nil {
			t.Fatal(err)
		}
		w.write("data/ledger.db", "this is no ledger")
		s.has(w.look(true), "ledger-damaged", "crmsyncd ledger restore")
		if err := os.Remove(at(w)); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("ledger.db", at(w)); err != nil {
			t.Fatal(err)
		}
		s.has(w.look(true), "ledger-unread", "look at data_dir")
		w = newWard(t, plainSettings("privacy: {encryption_keys: [AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=]}\n"), "version: 1\nrules: []\n")
		w.up()
		w.call(1)
		w.down()
		w.edit("config.yaml", "privacy: {encryption_keys: [AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=]}\n", "")
		s.has(w.look(true), "ledger-locked", "privacy.encryption_keys")
	}},
	{"a full disk under a daemon", []string{"daemon-not-ready"}, func(t *testing.T, s *stage) {
		w := newWard(t, plainSettings(""), "version: 1\nrules: []\n")
		small(t, w)
		w.up()
		inside := fmt.Sprintf("/proc/%d/root%s", w.cmd.Process.Pid, filepath.Join(w.dir, "data", "full"))
		f, err := os.Create(inside)
		if err != nil {
			t.Skipf("the disk of the daemon cannot be filled from here: %v", err)
		}
		page := make([]byte, 64<<10)
		for err == nil {
			_, err = f.Write(page)
		}
		_ = f.Close()
		ready := func() bool {
			st, err := admin.NewClient(w.private).Status(t.Context())
			return err == nil && st.Ready
		}
		for range 2000 {
			if !ready() {
				break
			}
			w.fill()
		}
		s.has(w.look(true), "daemon-not-ready", "journalctl -u crmsyncd")
	}},
	{"deliveries that wait, and a CRM that is down", []string{"connector-paused", "deliveries-old"}, func(t *testing.T, s *stage) {
		w := newWard(t, plainSettings(hubspotOnly), aRule("hubspot", "contacts", ""))
		seed(t, w, 3*time.Hour)
		w.faults(`[{"crm": "hubspot", "path": "", "status": 503, "times": 100000}]`)
		w.up()
		// It is not paused while it tries again.
		found := s.comes(func() []doctor.Finding { return w.look(true) }, "connector-paused")
		s.has(found, "connector-paused", "it goes on by itself")
		s.has(found, "deliveries-old", "the oldest for 3h")
	}},
	{"credentials that are refused", []string{"connector-parked"}, func(t *testing.T, s *stage) {
		w := newWard(t, plainSettings(hubspotOnly), aRule("hubspot", "contacts", ""))
		w.faults(`[{"crm": "hubspot", "path": "", "status": 401, "times": 100000}]`)
		w.up()
		w.call(1)
		w.until("that it is parked", connectorIs("hubspot", "parked"))
		s.has(w.look(true), "connector-parked", "systemctl reload crmsyncd")
	}},
	{"deliveries that are dead", []string{"deliveries-dead"}, func(t *testing.T, s *stage) {
		w := newWard(t, plainSettings(hubspotOnly), aRule("hubspot", "contacts", "          no_such_field: =call.id\n"))
		w.up()
		w.call(1)
		w.until("that it is dead", func(s admin.Status) bool { return len(s.Connectors) > 0 && s.Connectors[0].Dead > 0 })
		s.has(w.look(true), "deliveries-dead", "crmsyncd deliveries retry")
	}},
}

// small gives the daemon of a ward a data directory that is a small disk.
func small(t *testing.T, w *ward) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(w.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.bin = filepath.Join(w.dir, "small")
	script := strings.Join(mounting(t), " ") + ` sh -ec 'mount -t tmpfs -o size=40m,mode=700 t data; exec "$0" "$@"' '` + self + "' \"$@\"\n"
	if err := os.WriteFile(w.bin, []byte("#!/bin/sh\nexec "+script), 0o755); err != nil {
		t.Fatal(err)
	}
}

// fill posts a call, whatever becomes of it.
func (w *ward) fill() {
	w.t.Helper()
	s, err := admin.NewClient(w.private).Status(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	src, err := telliSource(testSecret)
	if err != nil {
		w.t.Fatal(err)
	}
	body := `{"what":"` + strings.Repeat("x", 200<<10) + `"}`
	_, _, _ = sender{source: src}.post(w.t.Context(), "http://"+s.Listen+"/hooks/telli", []byte(body), newMessageID())
}

// seed puts a call that came a while ago into the ledger of a ward.
func seed(t *testing.T, w *ward, ago time.Duration) {
	t.Helper()
	src, err := telliSource(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-ago)
	body, err := src.(interface {
		Sample(string, int, time.Time) ([]byte, error)
	}).Sample("call_completed", 1, at)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(w.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := bolt.Open(bolt.Options{Path: filepath.Join(w.dir, "data", "ledger.db"), Init: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Append(t.Context(), store.Event{
		Source: "telli", Vendor: "telli", Type: event.CallEnded, Origin: event.Webhook, OccurredAt: at, ReceivedAt: at,
		Lane: "telli", ContentKey: "seed", ContentType: "application/json", Body: body,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

package examples_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/examples"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/cases"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/internal/starter"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

// arrived is how many records of which object the cases of a sender leave in a
// CRM: people, calls, tasks to call back, and what is kept of conversations.
var arrived = map[string]struct{ people, calls, tasks, talks int }{
	"telli":     {2, 2, 1, 0},
	"voipgrid":  {2, 2, 1, 0},
	"respondio": {2, 2, 1, 1},
	"sipgate":   {2, 3, 1, 0},
}

// TestPairsArriveInTheCRM posts the payloads of each pair's cases to a daemon
// with the pair's settings, and looks into the sandbox.
func TestPairsArriveInTheCRM(t *testing.T) {
	t.Parallel()
	pairs(t, func(t *testing.T, sender, crm string) {
		box := sandbox.New(sandbox.Options{Unlimited: true})
		server := httptest.NewServer(box)
		t.Cleanup(server.Close)
		texts := map[string]string{}
		for _, name := range starter.Names {
			text, err := examples.FS.ReadFile(sender + "-" + crm + "/" + name)
			if err != nil {
				t.Fatal(err)
			}
			texts[name] = string(text)
		}
		path := place(t, pair(sender, crm), texts,
			"127.0.0.1:8787", "127.0.0.1:0", "127.0.0.1:8788", "unix:./a.sock", "# base_url: http://127.0.0.1:9900", "base_url: "+server.URL)
		quiet := func(config.Log) *slog.Logger { return slog.New(slog.DiscardHandler) }
		setup, problems := app.Build(path, "test", quiet)
		if len(problems) > 0 {
			t.Fatal(problems.Error())
		}
		file, problems := cases.Read(filepath.Join(filepath.Dir(path), starter.Cases), []byte(texts[starter.Cases]), setup.CaseOptions())
		if len(problems) > 0 {
			t.Fatal(problems.Error())
		}
		daemon, err := app.New(setup, path, "test", quiet)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- daemon.Run(ctx) }()
		defer func() {
			stop()
			if err := <-stopped; err != nil {
				t.Error(err)
			}
		}()
		sent := uint64(0)
		for _, c := range file.Cases {
			for _, p := range append(slices.Clone(c.Earlier), c.Payload) {
				sent++
				post(t, setup, daemon.URL(), sender, p.Body, fmt.Sprint("msg_", sent))
			}
			settle(t, daemon.Admin(), sent)
		}
		look(t, box, sender, crm)
	})
}

// post sends a payload as its vendor would.
func post(t *testing.T, setup *app.Setup, address, sender string, body []byte, id string) {
	t.Helper()
	r := &sources.Request{Header: http.Header{"Content-Type": {app.ContentType(body)}}, Body: body}
	if signer, ok := setup.Sources[sender].(sources.Signer); ok {
		if err := signer.Sign(r, id, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	address += "/hooks/" + sender
	if token := setup.Guards[sender].Admit(); token != "" {
		address += "/" + token
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(r.Body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = r.Header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s is answered %d %s, %v", body, resp.StatusCode, answer, err)
	}
}

// settle waits until all that was sent is delivered, and wants nothing dead.
func settle(t *testing.T, address string, events uint64) {
	t.Helper()
	client := admin.NewClient(address)
	var err error
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var s admin.Status
		if s, err = client.Status(t.Context()); err != nil {
			continue
		}
		if s.Events < events || s.Unplanned > 0 || s.Connectors[0].Waiting > 0 {
			err = fmt.Errorf("%d of %d events, %d unplanned, %d waiting: %s", s.Events, events, s.Unplanned, s.Connectors[0].Waiting, s.Connectors[0].Reason)
			continue
		}
		if s.Connectors[0].Dead == 0 && s.Quarantine == 0 {
			return
		}
		err = errors.New("dead or in quarantine")
		list, _ := client.Events(t.Context(), store.EventFilter{Limit: 100})
		for _, e := range list {
			t.Logf("%s %s %s %s", e.ID, e.Type, e.State, e.Problem)
			for _, d := range e.Deliveries {
				t.Logf("  %s %s %s", d.Connector, d.State, d.Reason)
			}
		}
		break
	}
	t.Fatal(err)
}

// look counts what is in the CRM, and wants calls and tasks tied to people.
func look(t *testing.T, box *sandbox.Sandbox, sender, crm string) {
	t.Helper()
	want := arrived[sender]
	count := func(object string, n int, is func(sandbox.Record) bool) {
		t.Helper()
		found, tied := 0, 0
		for _, r := range box.Records(crm, object) {
			if is == nil || is(r) {
				found++
				if len(r.Links) > 0 {
					tied++
				}
			}
		}
		if found != n {
			t.Errorf("%s holds %d %s, want %d: %v", crm, found, object, n, box.Records(crm, object))
		}
		if tied < min(n, 2) {
			t.Errorf("%d of %d %s are tied to somebody", tied, found, object)
		}
	}
	field := func(name string, value any) func(sandbox.Record) bool {
		return func(r sandbox.Record) bool { return r.Fields[name] == value }
	}
	people := func(object string) {
		t.Helper()
		if got := box.Records(crm, object); len(got) != want.people {
			t.Errorf("%s holds %d %s, want %d: %v", crm, len(got), object, want.people, got)
		}
	}
	switch crm {
	case "hubspot":
		people("contacts")
		count("calls", want.calls, nil)
		count("tasks", want.tasks, nil)
		count("notes", want.talks, nil)
	case "airtable":
		people("Contacts")
		count("Calls", want.calls, nil)
		count("Calls", want.tasks, field("Call back", true))
		count("Conversations", want.talks, nil)
	case "pipedrive":
		people("persons")
		count("activities", want.calls, field("type", "call"))
		count("activities", want.tasks, field("type", "task"))
		count("notes", want.talks, nil)
	case "salesforce":
		people("Lead")
		count("Task", want.calls, field("TaskSubtype", "Call"))
		count("Task", want.tasks+want.talks, field("TaskSubtype", "Task"))
	}
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/sources"
)

const (
	crashShards = 8 // daemons side by side: they mostly wait
	// crashTimeout is of a request to a CRM. A record is looked for that long after
	// its creation began, and the index's lag: a CRM that does later what it was
	// asked, as on a machine that stands still for a moment, makes it twice.
	crashTimeout  = 6500 * time.Millisecond
	crashLag      = 700 * time.Millisecond // of the CRMs' search index
	crashPatience = 12 * time.Second       // for an answer to be held
	// crashGather is from the first answer that is held to the kill: HubSpot
	// comes last, as only five searches a second are allowed there.
	crashGather = 1800 * time.Millisecond
	// crashAgain is the same where what is in doubt is looked for first.
	crashAgain = 5500 * time.Millisecond
)

// crashObjects are the objects of each CRM that the rules write, with the field
// that tells the call or the contact, and how many links each record has.
var crashObjects = map[string][]crashObject{
	"hubspot": {
		{name: "contacts", field: "telli_contact_id", contact: true, links: 4}, {name: "calls", field: "telli_call_id", links: 2}, {name: "notes", field: "source_event_id", links: 1},
		{name: "tasks", field: "source_event_id", links: 1}, {name: "deals", field: "dealname", links: 2}, {name: "associations"},
	},
	"airtable": {{name: "Contacts", field: "telli_contact_id", contact: true, links: 1}, {name: "Calls", field: "Call ID", links: 1}},
	"pipedrive": {
		{name: "persons", field: "Telli contact id", contact: true}, {name: "deals", field: "title", links: 1}, {name: "leads", field: "title", links: 1},
		{name: "activities", field: "subject", links: 2}, {name: "notes", field: "content", links: 1}, {name: "callLogs", field: "subject", links: 1},
	},
	"salesforce": {{name: "Lead", field: "Telli_Contact_Id__c", contact: true}, {name: "Contact", field: "Telli_Contact_Id__c", contact: true}, {name: "Task", field: "Call_Id__c", links: 1}},
	"webhook":    {{name: "automation", field: "body"}},
}

type crashObject struct {
	name, field string // no field: not a record of its own
	contact     bool   // the field holds the contact's id, not the call's
	links       int
}

// crashKinds are the samples that each round sends, one call of a new contact
// of each; the rules match every kind in another way.
var crashKinds = []string{"call_completed", "call_answered", "call_voicemail"}

// TestCrash kills a real daemon as many times as CRASH says, each time between
// the success of a write in every CRM and its answer, with every kind of object
// in turn: there must be one record of each at the end, linked, and all posts
// of one call must have one webhook-id.
func TestCrash(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("CRASH"))
	if err != nil || rounds <= 0 {
		t.Skip("CRASH is not set to a number of rounds such as 20")
	}
	found := &crashFound{windows: map[string]int{}}
	t.Run("shards", func(t *testing.T) {
		shards := min(crashShards, rounds)
		for n := range shards {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				c := newCrash(t, found)
				for round := n; round < rounds && !t.Failed(); round += shards {
					c.round(round)
				}
				c.check()
			})
		}
	})
	found.tell(t)
}

// crash is one daemon, its CRMs, and what was sent to it.
type crash struct {
	t       *testing.T
	found   *crashFound
	p       *process
	sb      *sandbox.Sandbox
	hold    *holder
	listen  string
	private string
	src     sources.Source
	begin   time.Time
	calls   []crashCall
}

type crashCall struct{ id, contact string }

func newCrash(t *testing.T, found *crashFound) *crash {
	c := &crash{t: t, found: found, p: &process{t: t, dir: t.TempDir()}, begin: time.Now().Add(-20 * time.Hour).Truncate(time.Second)}
	c.sb = sandbox.New(sandbox.Options{Unlimited: true, SearchDelay: crashLag})
	var err error
	if c.hold, err = newHolder(c.sb); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(c.hold)
	t.Cleanup(server.Close)
	c.listen, c.private = address(t), "unix:"+filepath.Join(c.p.dir, "admin.sock")
	settings := strings.NewReplacer("LISTEN", c.listen, "ADMIN", c.private, "SECRET", testSecret, "CRM", server.URL, "TIMEOUT", crashTimeout.String(), "LAG", (crashLag+100*time.Millisecond).String()).Replace(`
listen: LISTEN
admin: ADMIN
data_dir: ./data
mapping: mapping.yaml
defaults: {country: DE, timezone: Europe/Berlin}
delivery: {backoff_min: 100ms, backoff_max: 500ms, drain: 3s}
sources:
  telli: {type: telli, signing_secret: "SECRET"}
connectors:
  hubspot: {type: hubspot, access_token: x, base_url: CRM/hubspot, requests_per_10s: 100000, timeout: TIMEOUT, search_lag: LAG}
  airtable: {type: airtable, access_token: x, base: appCrmsyncdDemo00, base_url: CRM/airtable, requests_per_second: 10000, timeout: TIMEOUT}
  pipedrive: {type: pipedrive, api_token: x, base_url: CRM/pipedrive, requests_per_2s: 100000, timeout: TIMEOUT, search_lag: LAG}
  salesforce: {type: salesforce, client_id: x, client_secret: x, base_url: CRM/salesforce, timeout: TIMEOUT}
  automation: {type: webhook, url: CRM/webhook/automation, unsigned: true, allow_private: ["true"], requests_per_second: 10000, timeout: TIMEOUT}
`) + slowDisk
	for name, text := range map[string]string{"config.yaml": settings, "mapping.yaml": crashRules(t)} {
		if err := os.WriteFile(filepath.Join(c.p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if c.src, err = telliSource(testSecret); err != nil {
		t.Fatal(err)
	}
	c.p.start()
	t.Cleanup(func() { _ = c.p.cmd.Process.Kill() })
	return c
}

// crashRules are the rules three times, each for one kind of call.
func crashRules(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/crash/mapping.yaml")
	if err != nil {
		t.Fatal(err)
	}
	head, rules, ok := strings.Cut(string(text), "\nrules:\n")
	if !ok {
		t.Fatal("the mapping has no rules")
	}
	out := head + "\nrules:\n"
	for n, kind := range crashKinds {
		status := strings.TrimPrefix(kind, "call_")
		for line := range strings.Lines(rules) {
			before, match, ok := strings.Cut(line, "@ ")
			switch {
			case strings.HasPrefix(line, "  - name: "):
				line = strings.TrimSuffix(line, "\n") + " " + status + "\n    when: =call.status == \"" + status + "\"\n"
			case ok:
				switch m := strings.TrimSpace(strings.Split(match, "|")[n]); m {
				case "-":
					line = before + "create: always\n"
				default:
					line = before + "match: " + m + "\n"
				}
			}
			out += line
		}
	}
	return out
}

// round sends calls, kills the daemon once or twice in the midst of their
// delivery, and lets everything settle.
func (c *crash) round(n int) {
	wanted := map[string]string{}
	for crm, objects := range crashObjects {
		wanted[crm] = objects[n%len(objects)].name
	}
	if n%5 == 4 { // an answer is lost, and then comes the kill
		only := slices.Sorted(maps.Keys(wanted))[n/5%len(wanted)]
		c.hold.arm(map[string]string{only: wanted[only]}, 0.5, true)
		c.send(n)
		c.kill(1, time.Duration(rand.IntN(30))*time.Millisecond)
	} else {
		c.hold.arm(wanted, 0.5, false)
		c.send(n)
		c.kill(len(wanted), crashGather)
	}
	if n/6%2 == 1 { // the attempt to mend the first is cut off as well
		c.hold.arm(wanted, 1, false)
		c.p.start()
		c.kill(len(wanted), crashAgain)
	}
	c.hold.arm(nil, 0, false)
	c.p.start()
	if err := settledAt(c.private, uint64(len(c.calls))); err != nil {
		c.t.Errorf("round %d: not settled: %v", n, err)
	}
	c.found.add(func(f *crashFound) { f.rounds++ })
}

// send posts a call of a new contact of each kind.
func (c *crash) send(round int) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	if _, err := readyAt(c.private); err != nil {
		c.t.Fatalf("%v\n%s", err, c.p.err.String())
	}
	for n, kind := range crashKinds {
		who, at := 1000+round*len(crashKinds)+n, c.begin.Add(time.Duration(round*10+n)*time.Second)
		body, err := c.src.(sources.Sampler).Sample(kind, who, at)
		if err != nil {
			c.t.Fatal(err)
		}
		if _, status, err := (sender{source: c.src}).post(ctx, "http://"+c.listen+"/hooks/telli", body, fmt.Sprintf("msg_%d_%d", round, n)); err != nil || status != 200 {
			c.t.Fatalf("round %d: answered %d, %v\n%s", round, status, err, c.p.err.String())
		}
		var sent struct {
			Call struct {
				ID      string `json:"call_id"`
				Contact string `json:"contact_id"`
			} `json:"call"`
		}
		if err := json.Unmarshal(body, &sent); err != nil {
			c.t.Fatal(err)
		}
		c.calls = append(c.calls, crashCall{sent.Call.ID, sent.Call.Contact})
	}
}

// kill waits until as many answers are held, or for a time after the first, and
// ends the daemon.
func (c *crash) kill(answers int, gather time.Duration) {
	for end := time.Now().Add(crashPatience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		held := c.hold.holding()
		first := time.Now()
		for _, w := range held {
			if w.since.Before(first) {
				first = w.since
			}
		}
		if answers > 1 && len(held) == answers || len(held) > 0 && time.Since(first) > gather {
			break
		}
	}
	memory := peak(c.p.cmd.Process.Pid)
	held := c.hold.holding()
	now := time.Now()
	if err := c.p.end(syscall.SIGKILL); err == nil {
		c.t.Error("the daemon ended before it was killed")
	}
	c.found.add(func(f *crashFound) {
		f.kills++
		f.memory = max(f.memory, memory)
		for crm, w := range held {
			if now.Sub(w.since) < crashTimeout { // else the daemon had given up already
				f.windows[crm+" "+w.object]++
			}
		}
	})
}

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

// crashFound is what all daemons of a run found. The counts of posts are of the
// webhook, whose receiver tells repeated ones by their id.
type crashFound struct {
	mu                            sync.Mutex
	rounds, kills                 int
	windows                       map[string]int // kills by CRM and object
	duplicates, losses, unlinked  int
	posts, repeated, otherwiseIDs int
	memory                        int // most of a process, in kB
}

func (f *crashFound) add(what func(*crashFound)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what(f)
}

// tell logs what was found.
func (f *crashFound) tell(t *testing.T) {
	hits := 0
	for _, crm := range slices.Sorted(maps.Keys(crashObjects)) {
		var each []string
		for _, o := range crashObjects[crm] {
			n := f.windows[crm+" "+o.name]
			hits += n
			each = append(each, fmt.Sprintf("%s %d", o.name, n))
			if n == 0 && f.rounds >= 100 {
				t.Errorf("no kill hit a write of %s to %s", o.name, crm)
			}
		}
		t.Logf("%s: killed between success and answer of %s", crm, strings.Join(each, ", "))
	}
	t.Logf("%d rounds, %d kills, %d writes whose answer they cut off: %d duplicates, %d losses, %d without their links; %d posts, %d repeated, %d of these with another id; at most %d MiB",
		f.rounds, f.kills, hits, f.duplicates, f.losses, f.unlinked, f.posts, f.repeated, f.otherwiseIDs, f.memory>>10)
	if hits < f.rounds {
		t.Errorf("%d answers were cut off in %d rounds, want at least one in each", hits, f.rounds)
	}
}

// check looks for one record of every object for each call.
func (c *crash) check() {
	if err := c.p.end(syscall.SIGTERM); err != nil {
		c.t.Errorf("stopped with %v", err)
	}
	log := c.p.err.String()
	for _, evil := range []string{"panic", "delivery dead"} {
		if at := strings.Index(log, evil); at >= 0 {
			c.t.Errorf("the daemon said %s", log[at:min(len(log), at+400)])
		}
	}
	for crm, objects := range crashObjects {
		for _, o := range objects {
			switch {
			case crm == "webhook":
				c.checkPosts(c.sb.Records(crm, o.name))
			case o.field != "":
				c.checkRecords(crm, o, c.sb.Records(crm, o.name))
			}
		}
	}
}

func (c *crash) checkRecords(crm string, o crashObject, records []sandbox.Record) {
	by := map[string][]sandbox.Record{}
	for _, r := range records {
		text := fmt.Sprint(r.Fields[o.field])
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '<' || r == '>' }) {
			by[word] = append(by[word], r)
		}
	}
	var duplicates, losses, unlinked int
	for _, call := range c.calls {
		id := call.id
		if o.contact {
			id = call.contact
		}
		switch list := by[id]; {
		case len(list) == 0:
			losses++
			c.t.Errorf("%s has no %s of %s", crm, o.name, id)
		case len(list) > 1:
			duplicates += len(list) - 1
			c.t.Errorf("%s has %d %s of %s: %v", crm, len(list), o.name, id, list)
		case len(list[0].Links) != o.links:
			unlinked++
			c.t.Errorf("%s of %s in %s has links %v, want %d", o.name, id, crm, list[0].Links, o.links)
		}
	}
	if extra := len(records) - len(c.calls); extra > duplicates {
		duplicates = extra
		c.t.Errorf("%s has %d %s, want %d", crm, len(records), o.name, len(c.calls))
	}
	c.found.add(func(f *crashFound) {
		f.duplicates += duplicates
		f.losses += losses
		f.unlinked += unlinked
	})
}

// checkPosts looks at what the webhook's receiver got: every call, always under
// the same id, and no other under that one.
func (c *crash) checkPosts(posts []sandbox.Record) {
	ids, calls := map[string]string{}, map[string]string{} // of a call; of an id
	repeated, otherwise := 0, 0
	for _, p := range posts {
		call := fmt.Sprint(p.Fields["body"].(map[string]any)["call"])
		id := fmt.Sprint(p.Fields["headers"].(map[string]any)["Webhook-Id"])
		if before, again := ids[call]; again {
			repeated++
			if before != id {
				otherwise++
				c.t.Errorf("call %s was posted as %s and as %s", call, before, id)
			}
		}
		if before, ok := calls[id]; ok && before != call {
			c.t.Errorf("%s is the id of two calls", id)
		}
		ids[call], calls[id] = id, call
	}
	losses := 0
	for _, call := range c.calls {
		if ids[call.id] == "" {
			losses++
			c.t.Errorf("call %s was never posted", call.id)
		}
	}
	c.found.add(func(f *crashFound) {
		f.posts += len(posts)
		f.repeated += repeated
		f.otherwiseIDs += otherwise
		f.losses += losses
	})
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/doctor"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// evil is a text that an older release, or a vendor, may have left in a ledger.
const evil = "a\n7  root\terase\x1b[2J\x9b\u202e"

func TestListingsShowWhatWouldMoveTheTerminalAsEscapes(t *testing.T) {
	t.Parallel()
	d := admin.Delivery{ID: "evt_1.hubspot", State: store.Dead, Type: evil, Reason: evil, Records: []store.Record{{ID: evil, Note: evil, Changes: []store.Change{{Field: "x", Before: "a\x1b[2J", After: evil}}}}}
	e := admin.Event{State: store.Quarantined, Problem: evil, Discarded: evil, Deliveries: []admin.Delivery{d}}
	e.ID, e.Type = "evt_1", evil
	plainly := func(_, text string) string { return text }
	for name, print := range map[string]func(*bytes.Buffer) error{
		"audit list": func(w *bytes.Buffer) error {
			return printAudits(w, []store.Audit{{ID: 1, Who: evil, What: evil, On: []string{evil}, Reason: evil, Note: evil}})
		},
		"deliveries list": func(w *bytes.Buffer) error { return printDeliveries(w, []admin.Delivery{d}, nil) },
		"events list":     func(w *bytes.Buffer) error { return printEvents(w, []admin.Event{e}) },
		"deliveries show": func(w *bytes.Buffer) error { showDelivery(w, d, true); return nil },
		"reconcile show": func(w *bytes.Buffer) error {
			return printReport(w, admin.RunReport{Run: store.Run{State: store.RunFailed, Note: evil}, Found: []store.Finding{
				{Kind: evil, Object: evil, Record: evil, Field: evil, Ours: evil, Theirs: evil, Note: evil}, {Contact: evil},
			}})
		},
		"reconcile": func(w *bytes.Buffer) error {
			_, err := w.WriteString(describeRun(store.Run{State: store.RunStopped, Note: evil}))
			return err
		},
		"a dry run of replay": func(w *bytes.Buffer) error {
			printPreviewRecord(w, admin.PreviewRecord{Object: evil, ID: evil, Skip: evil})
			return nil
		},
		"explain": func(w *bytes.Buffer) error {
			return printExplanation(w, painted, &event.Event{Call: &event.Call{Status: evil}}, nil, nil)
		},
		"explain's match": func(w *bytes.Buffer) error {
			explainRecord(w, painted, mapping.ExplainedRecord{Match: []string{evil}})
			return nil
		},
		"status": func(w *bytes.Buffer) error {
			return printStatus(w, admin.Status{Connectors: []admin.Connector{{Name: "x", Reason: evil}}}, time.Now())
		},
		"explain's notes": func(w *bytes.Buffer) error {
			explainRecord(w, plainly, mapping.ExplainedRecord{Fields: []mapping.ExplainedField{{Name: "x", Source: "=a + b", Reads: []mapping.Input{{Path: "a", Hint: evil}}, CRM: &mapping.InCRM{Error: evil, Note: evil}}}})
			return nil
		},
		"explain --diff": func(w *bytes.Buffer) error {
			printCompared(w, plainly, []rehearsed{{Problem: evil, Records: []store.Record{{Action: store.WouldFail, Note: evil}}}})
			return nil
		},
		"explain --requests": func(w *bytes.Buffer) error {
			return printRequests(w, []rehearsed{{Problem: evil, Requests: []sentRequest{{Body: map[string]any{"name": evil}}}}})
		},
		"doctor": func(w *bytes.Buffer) error {
			return printFindings(w, []doctor.Finding{{About: evil, What: evil, Mend: evil}})
		},
		"demo": func(w *bytes.Buffer) error {
			fmt.Fprint(w, who(admin.Event{Event: event.Event{Contact: &event.Contact{FullName: evil}}}), became(d))
			return nil
		},
	} {
		var w bytes.Buffer
		if err := print(&w); err != nil {
			t.Fatal(err)
		}
		if out := w.String(); strings.ContainsAny(out, "\x1b\t\u202e") || strings.Contains(out, "\x9b") || strings.Contains(out, "\n7 ") {
			t.Errorf("%s prints %q", name, out)
		}
		if !strings.Contains(w.String(), `a\n7  root\terase\x1b[2J`) {
			t.Errorf("%s does not show the text escaped: %q", name, w.String())
		}
	}
	var w bytes.Buffer
	if err := showEvent(&w, e); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(w.String(), "\x1b\t\u202e") || strings.Contains(w.String(), "\x9b") {
		t.Errorf("events show prints %q", w.String())
	}
	const name = "Ada\u009b2J\u007f\u202e <\u00a0\U0001F600>\n"
	w.Reset()
	if err := printJSON(&w, name); err != nil {
		t.Fatal(err)
	}
	var again string
	if err := json.Unmarshal(w.Bytes(), &again); err != nil || again != name || strings.ContainsAny(w.String(), "\u009b\u007f\u202e") {
		t.Errorf("JSON is printed as %q, %v", w.String(), err)
	}
}

func TestTheNextTryIsNoSoonerThanThatOfTheConnector(t *testing.T) {
	t.Parallel()
	due, held := time.Date(2026, 3, 4, 9, 0, 0, 0, time.Local), time.Date(2026, 3, 4, 9, 5, 0, 0, time.Local)
	list := []admin.Delivery{{ID: "evt_1.hubspot", Connector: "hubspot", State: store.Waiting, Due: due}, {ID: "evt_2.webhook", Connector: "webhook", State: store.Waiting, Due: held.Add(time.Minute)}}
	var w bytes.Buffer
	if err := printDeliveries(&w, list, map[string]time.Time{"hubspot": held, "webhook": held}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"09:05:00", "09:06:00"} {
		if !strings.Contains(w.String(), want) {
			t.Errorf("%s is not in\n%s", want, w.String())
		}
	}
}

func TestWebhooksOfLessThanAnHourAreSaidToBe(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 9, 0, 0, 0, time.Local)
	for age, want := range map[time.Duration]string{48 * time.Minute: "SINCE 08:12", 2 * time.Hour: "LAST HOUR"} {
		var w bytes.Buffer
		s := admin.Status{Running: true, Ready: true, StartedAt: now.Add(-age), Sources: []admin.Source{{Name: "telli"}}}
		if err := printStatus(&w, s, now); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(w.String(), want) {
			t.Errorf("%s is not in\n%s", want, w.String())
		}
	}
}

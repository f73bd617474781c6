package app

import (
	"fmt"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/receiver"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

// told posts a notification of a call of that number, so many seconds after 09:30.
func (x *exchange) told(call, status string, second int) {
	at := time.Date(2026, 3, 4, 9, 30, second, 0, time.UTC).Format(time.RFC3339)
	x.post(fmt.Appendf(nil, `{"call_id":%q,"timestamp":%q,"status":%q,"reason":"completed","version":"v2","direction":"inbound","caller":{"number":"+493023125042"},"destination":{"number":"+493023125900"}}`, call, at, status))
}

// cdr is a record of VoIPGRID's list, of a call that began so many seconds after 09:30.
func cdr(id, second, talked int) sources.Item {
	item, _ := sources.Told{Record: fmt.Appendf(nil, `{"id":%d,"atime":%d,"call_date":"2026-03-04T10:30:%02d","src_number":"+493023125042","dialed_number":"+493023125900","direction":"inbound"}`, id, talked, second)}.Item("voipgrid")
	return item
}

// read takes an item as a backfill does; late: as one that looked for its call
// before webhooks told it, and was kept after.
func (x *exchange) read(item sources.Item, late bool) string {
	if late {
		r := item.Request(x.now)
		x.append(receiver.Stored("phones", "voipgrid", event.Backfill, r, x.Sources["phones"].Parse(r)))
		return "new"
	}
	e, known, err := x.take(background, "phones", event.Backfill, item, x.now)
	switch {
	case err != nil:
		x.fatal(err)
	case known:
		return "known"
	}
	r, err := x.ledger.Append(background, e)
	if err != nil {
		x.fatal(err)
	}
	if r.Duplicate {
		return "duplicate"
	}
	return "new"
}

// ids are the calls that the ledger's ends are of, oldest event first.
func (x *exchange) ids() (out []string) {
	views, err := x.ledger.Events(background, store.EventFilter{Type: event.CallEnded})
	if err != nil {
		x.fatal(err)
	}
	for i := len(views) - 1; i >= 0; i-- {
		e, err := x.Parse(views[i].Event)
		if err != nil {
			x.fatal(err)
		}
		out = append(out, e.Call.ID)
	}
	return out
}

func TestTake(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(x *exchange) []string
		want string // what became of what was read; ids of the calls' ends
	}{
		{"a call that was told is known", func(x *exchange) []string {
			x.told("a", "ringing", 1)
			x.told("a", "in-progress", 5)
			x.told("a", "ended", 35)
			return []string{x.read(cdr(1, 0, 30), false)}
		}, "[known] [a]"},
		{"of a call whose end got lost the end is read, once", func(x *exchange) []string {
			x.told("a", "ringing", 1)
			out := []string{x.read(cdr(1, 0, 30), false), x.read(cdr(1, 0, 30), false)}
			x.told("a", "ended", 35)
			return out
		}, "[new known] [a]"},
		{"an end that we made ourselves is not the vendor's", func(x *exchange) []string {
			x.told("a", "ringing", 1)
			end, err := x.close(background, "phones", "a", x.now.Add(5*time.Hour))
			if err != nil || end == nil {
				x.fatal("not closed", err)
			}
			x.append(*end)
			return []string{x.read(cdr(1, 0, 30), false)}
		}, "[new] [a a]"},
		{"a call of which nothing was told, and what comes late of it", func(x *exchange) []string {
			out := []string{x.read(cdr(1, 0, 30), false), x.read(cdr(1, 0, 30), false)}
			x.told("a", "ringing", 1)
			x.told("a", "ended", 35)
			if end, err := x.close(background, "phones", "a", x.now.Add(5*time.Hour)); err != nil || end != nil {
				x.fatal("closed again", end, err)
			}
			return append(out, x.read(cdr(1, 0, 30), false))
		}, "[new duplicate known] [cdr-1 cdr-1]"},
		{"told while it was read", func(x *exchange) []string {
			x.told("a", "ringing", 1)
			x.read(cdr(1, 0, 30), true)
			x.told("a", "ended", 35)
			return nil
		}, "[] [a a]"},
		{"another call of the same number", func(x *exchange) []string {
			x.told("a", "ringing", 1)
			x.told("a", "ended", 3)
			return []string{x.read(cdr(1, 30, 10), false), x.read(cdr(2, 1, 0), false)}
		}, "[new known] [a cdr-1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := newExchange(t, t.TempDir())
			defer x.ledger.Close()
			x.types = map[string]string{"source phones": "voipgrid"}
			done := c.do(x)
			if got := fmt.Sprint(done, " ", x.ids()); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

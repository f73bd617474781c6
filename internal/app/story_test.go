package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/receiver"
	"github.com/crmsyncd/crmsyncd/internal/reconcile"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/voipgrid"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

var background = context.Background()

// exchange is a telephone exchange's webhooks on their way to a real ledger.
type exchange struct {
	reader
	fatal func(...any)
	now   time.Time
}

func newExchange(t interface{ Fatal(...any) }, dir string) *exchange {
	src, err := voipgrid.New("phones", voipgrid.Config{}, "DE")
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := bolt.Open(bolt.Options{Path: filepath.Join(dir, LedgerFile), Init: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	setup := &Setup{Settings: &config.Settings{Privacy: config.Privacy{StoreTranscripts: true}}, Sources: map[string]sources.Source{"phones": src}}
	return &exchange{reader{setup, ledger}, t.Fatal, time.Date(2026, 3, 4, 9, 40, 0, 0, time.UTC)}
}

// post takes a webhook, and plans it as the deliverer would; what is to be
// planned again is returned.
func (x *exchange) post(body []byte) (again []store.Requeue) {
	x.now = x.now.Add(time.Second)
	r := &sources.Request{Header: http.Header{"Content-Type": {"application/json"}}, Body: body, At: x.now}
	e := receiver.Stored("phones", "voipgrid", event.Webhook, r, x.Sources["phones"].Parse(r))
	e.Seq = x.append(e)
	more, again, err := x.followUp(e)
	if err != nil {
		x.fatal(err)
	}
	for _, m := range more {
		x.append(m)
	}
	return again
}

func (x *exchange) append(e store.Event) uint64 {
	receipt, err := x.ledger.Append(background, e)
	if err != nil {
		x.fatal(err)
	}
	return receipt.Seq
}

// calls says what became of each call, read from the ledger now: the state
// after its last event.
func (x *exchange) calls() []string {
	views, err := x.ledger.Events(background, store.EventFilter{Limit: 1000})
	if err != nil {
		x.fatal(err)
	}
	last := map[string]*event.Event{}
	for _, v := range views {
		e, err := x.Parse(v.Event)
		if err != nil {
			x.fatal(err)
		}
		if l := last[e.Call.ID]; l == nil || event.Compare(e, l) > 0 {
			last[e.Call.ID] = e
		}
	}
	var out []string
	for id, e := range last {
		c := e.Call
		agent := "nobody"
		if c.Agent != nil {
			agent = c.Agent.Email + c.Agent.Number
		}
		phone, length := "", "?"
		if e.Contact != nil {
			phone = e.Contact.Phone
		}
		if c.Duration != nil {
			length = fmt.Sprint(*c.Duration)
		}
		clock := func(t time.Time) string {
			if t.IsZero() {
				return "-"
			}
			return t.Format("15:04:05")
		}
		out = append(out, strings.Join([]string{
			id[strings.LastIndex(id, ".")+1:], string(e.Type), c.Status, c.Direction, phone, clock(c.StartedAt), clock(c.AnsweredAt), clock(c.EndedAt), length, agent, c.Transfer,
		}, " "))
	}
	slices.Sort(out)
	return out
}

func sequence(t testing.TB, name string) (events []json.RawMessage) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../sources/voipgrid/testdata/sequences", name+".json"))
	if err == nil {
		err = json.Unmarshal(text, &events)
	}
	if err != nil {
		t.Fatal(err)
	}
	return events
}

var sequences = map[string][]string{
	"sequence_simple_call": {
		"1042 call.ended completed inbound +493023125042 09:30:01 09:30:14 09:35:07 293 vertrieb@example.com21 ",
	},
	"sequence_call_pickup": {
		"1042 call.ended completed inbound +493023125042 09:30:01 09:30:14 09:35:07 293 support@example.com22 ",
	},
	"sequence_attended_transfer_same_id": {
		"1042 call.ended completed inbound +493023125042 09:30:01 09:30:14 09:35:07 293 support@example.com22 warm",
		"1057 call.transferred merged internal  09:31:00 09:31:06 09:32:05 ? vertrieb@example.com21 ",
	},
	"sequence_blind_transfer_answered": {
		"1042 call.ended completed inbound +493023125042 09:30:01 09:30:14 09:35:07 293 203 cold",
		"1057 call.transferred merged internal  09:31:00 - 09:31:50 ? vertrieb@example.com21 ",
	},
	"sequence_blind_transfer_unanswered": {
		"1042 call.ended completed inbound +493023125042 09:30:01 09:30:14 09:35:07 293 vertrieb@example.com21 cold",
		"1057 call.transferred merged internal  09:31:00 - 09:31:50 ? vertrieb@example.com21 ",
	},
}

func TestTransfersEndAsOneCall(t *testing.T) {
	t.Parallel()
	for name, want := range sequences {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newExchange(t, t.TempDir())
			defer x.ledger.Close()
			for _, body := range sequence(t, name) {
				x.post(body)
				x.post(body) // nobody knows whether VoIPGRID tries again
			}
			if got := x.calls(); !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

// The vendor names either call's id as the one that survives.
func TestTheSurvivorsIDMayBeEither(t *testing.T) {
	t.Parallel()
	x := newExchange(t, t.TempDir())
	defer x.ledger.Close()
	for _, body := range sequence(t, "sequence_attended_transfer_same_id") {
		text := string(body)
		if strings.Contains(text, "warm-transfer") || strings.Contains(text, `"ended"`) {
			text = strings.NewReplacer("1772616601.1042", "1772616660.1057", "1772616660.1057", "1772616601.1042").Replace(text)
		}
		x.post([]byte(text))
	}
	if got, want := x.calls(), sequences["sequence_attended_transfer_same_id"]; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestCallsReadTheSameInWhicheverOrderTheirEventsCame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	names := []string{"sequence_simple_call", "sequence_attended_transfer_same_id", "sequence_blind_transfer_answered", "sequence_blind_transfer_unanswered"}
	stories := map[string][]json.RawMessage{}
	for _, name := range names {
		stories[name] = sequence(t, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "story")
		here, err := os.MkdirTemp(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		x := newExchange(t, here)
		defer x.ledger.Close()
		arrival := make([]int, len(stories[name]))
		for i := range arrival {
			arrival[i] = i
		}
		for _, i := range rapid.Permutation(arrival).Draw(t, "arrival") {
			x.post(stories[name][i])
		}
		if got, want := x.calls(), sequences[name]; !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

func TestAnEventThatComesLateHasTheEndPlannedAgain(t *testing.T) {
	t.Parallel()
	x := newExchange(t, t.TempDir())
	defer x.ledger.Close()
	story := sequence(t, "sequence_simple_call")
	for _, i := range []int{0, 1, 3} {
		if again := x.post(story[i]); len(again) != 0 {
			t.Errorf("event %d came in order and had %v planned again", i, again)
		}
	}
	again := x.post(story[2]) // when it was answered
	if len(again) != 1 || again[0].Seq != 3 || again[0].Type != event.CallEnded {
		t.Errorf("the end was not planned again: %v", again)
	}
}

func TestCallsWithoutAnEndAreClosed(t *testing.T) {
	t.Parallel()
	x := newExchange(t, t.TempDir())
	defer x.ledger.Close()
	story := sequence(t, "sequence_attended_transfer_same_id")
	for _, body := range story[:len(story)-1] {
		x.post(body)
	}
	sweeper := &reconcile.Sweeper{
		Ledger: x.ledger, Append: x.ledger.Append, Close: x.close, Log: slog.New(slog.DiscardHandler),
		Sources: func() map[string]time.Duration { return map[string]time.Duration{"phones": 4 * time.Hour} },
	}
	sweep := func(after time.Duration, want int) {
		t.Helper()
		if n, err := sweeper.Once(background, x.now.Add(after)); err != nil || n != want {
			t.Errorf("%d calls were closed, %v; want %d", n, err, want)
		}
	}
	sweep(3*time.Hour, 0)
	sweep(5*time.Hour, 1) // the merged one has its end
	sweep(5*time.Hour, 0)
	want := []string{
		"1042 call.ended unknown inbound +493023125042 09:30:01 09:30:14 - ? support@example.com22 warm",
		"1057 call.transferred merged internal  09:31:00 09:31:06 09:32:05 ? vertrieb@example.com21 ",
	}
	if got := x.calls(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	x.post(story[len(story)-1]) // hours late
	if got, want := x.calls(), sequences["sequence_attended_transfer_same_id"]; !slices.Equal(got, want) {
		t.Errorf("after the end came: got  %q\nwant %q", got, want)
	}
}

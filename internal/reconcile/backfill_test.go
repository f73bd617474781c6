package reconcile

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// vendor has calls numbered from 0, one a minute from noon on, and gives ten a page.
type vendor struct {
	calls    int
	problems []error // of the next requests, nil for none
	asked    []sources.Query
	stuck    bool
	going    int // a call that is not listed before noon and two hours; 0: none
	mute     error
}

func (v *vendor) Readable() error { return v.mute }

func (v *vendor) History(ctx context.Context, q sources.Query) (sources.Page, error) {
	if err := q.Turn.Ask(ctx); err != nil {
		return sources.Page{}, err
	}
	v.asked = append(v.asked, q)
	if len(v.problems) > 0 {
		err := v.problems[0]
		if v.problems = v.problems[1:]; err != nil {
			return sources.Page{}, err
		}
	}
	first, _ := strconv.Atoi(q.Cursor)
	var page sources.Page
	for n := first; n < min(first+10, v.calls); n++ {
		if q.Holds(noon.Add(time.Duration(n)*time.Minute)) && (v.going == 0 || n != v.going || !q.Until.Before(noon.Add(2*time.Hour))) {
			page.Items = append(page.Items, sources.Item{Body: []byte(strconv.Itoa(n))})
		}
	}
	if page.Part = 1; first+10 < v.calls {
		page.Next, page.Part = strconv.Itoa(first+10), float64(first+10)/float64(v.calls)
	}
	if v.stuck {
		page.Next = "0"
	}
	return page, nil
}

func take(_ context.Context, item sources.Item, at time.Time) (store.Event, bool, error) {
	n, err := strconv.Atoi(string(item.Body))
	e := store.Event{
		Source: "calls", Vendor: "v", Type: event.CallEnded, Origin: event.Backfill, Lane: "l", ReceivedAt: at,
		OccurredAt: noon.Add(time.Duration(n) * time.Minute), ContentKey: "call:" + string(item.Body), Body: item.Body,
	}
	if n%10 == 7 {
		e.Problem = "odd"
	}
	return e, n == 3, err // webhooks told call 3 under another id
}

type rig struct {
	*Backfill
	*testing.T
	vendor *vendor
	told   []Progress
}

func newRig(t *testing.T, v *vendor) *rig {
	ledger, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "ledger.db"), Init: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ledger.Close() })
	return &rig{T: t, vendor: v, Backfill: &Backfill{
		Ledger: ledger, Source: "calls", Reader: v, Take: take, Append: ledger.Append, Now: func() time.Time { return noon.Add(5 * time.Hour) },
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}}
}

func (r *rig) run(ctx context.Context, o BackfillOrder) (Progress, error) {
	r.Helper()
	if o.From.IsZero() {
		o.From = noon
	}
	if o.Until.IsZero() {
		o.Until = noon.Add(4 * time.Hour)
	}
	return r.Backfill.Run(ctx, o, func(p Progress) { r.told = append(r.told, p) })
}

func (r *rig) want(p Progress, err error, want string) {
	r.Helper()
	got := fmt.Sprintf("read %d new %d known %d odd %d pages %d requests %d", p.Read, p.New, p.Known, p.Odd, p.Pages, p.Requests)
	if p.Resumed {
		got += " resumed"
	}
	if err != nil {
		got += ": " + err.Error()
	}
	if got != want {
		r.Errorf("got\n%s, want\n%s", got, want)
	}
}

func (r *rig) events() uint64 {
	r.Helper()
	s, err := r.Ledger.Stats(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return s.Events
}

func TestBackfill(t *testing.T) {
	t.Parallel()
	t.Run("brings what is missing, and twice changes nothing", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, &vendor{calls: 25})
		e, _, _ := take(t.Context(), sources.Item{Body: []byte("12")}, noon)
		if _, err := r.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		p, err := r.run(t.Context(), BackfillOrder{DryRun: true})
		r.want(p, err, "read 25 new 23 known 2 odd 2 pages 3 requests 3")
		if n := r.events(); n != 1 {
			t.Errorf("a dry run kept something: %d events", n)
		}
		p, err = r.run(t.Context(), BackfillOrder{})
		r.want(p, err, "read 25 new 23 known 2 odd 2 pages 3 requests 3")
		p, err = r.run(t.Context(), BackfillOrder{})
		r.want(p, err, "read 25 new 0 known 25 odd 0 pages 3 requests 3")
		if n := r.events(); n != 24 {
			t.Errorf("%d events, want 24", n)
		}
		if last := r.told[len(r.told)-1]; !last.Done || last.Part != 1 {
			t.Errorf("at the end it tells %+v", last)
		}
	})
	t.Run("goes on where it was stopped", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, &vendor{calls: 25})
		ctx, cancel := context.WithCancel(t.Context())
		stop := r.Append
		r.Append = func(ctx context.Context, e store.Event) (store.Receipt, error) {
			cancel() // in the middle of a page, which is kept whole all the same
			return stop(ctx, e)
		}
		p, err := r.run(ctx, BackfillOrder{Name: "30d"})
		r.want(p, err, "read 10 new 9 known 1 odd 1 pages 1 requests 1: context canceled")
		r.Append = stop
		p, err = r.run(t.Context(), BackfillOrder{Name: "30d", From: noon.Add(time.Minute)}) // of a clock that goes on
		r.want(p, err, "read 25 new 24 known 1 odd 2 pages 3 requests 2 resumed")
		if q := r.vendor.asked[1]; q.Cursor != "10" || !q.From.Equal(noon) {
			t.Errorf("it went on with %+v", q)
		}
		p, err = r.run(t.Context(), BackfillOrder{Name: "30d"})
		r.want(p, err, "read 25 new 0 known 25 odd 0 pages 3 requests 3")
	})
	t.Run("another range, or one of the day before, begins anew", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, &vendor{calls: 25, problems: []error{nil, errors.New("no")}})
		p, err := r.run(t.Context(), BackfillOrder{Name: "30d"})
		r.want(p, err, "read 10 new 9 known 1 odd 1 pages 1 requests 2: no")
		p, err = r.run(t.Context(), BackfillOrder{Name: "40d"})
		r.want(p, err, "read 25 new 15 known 10 odd 1 pages 3 requests 3")
		r.Now = func() time.Time { return noon.Add(30 * time.Hour) }
		p, err = r.run(t.Context(), BackfillOrder{Name: "30d"})
		r.want(p, err, "read 25 new 0 known 25 odd 0 pages 3 requests 3")
	})
	t.Run("one that goes on continues up to now", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, &vendor{calls: 25, problems: []error{nil, errors.New("no")}, going: 19})
		_, _ = r.run(t.Context(), BackfillOrder{Open: true, Until: noon.Add(20 * time.Minute)})
		p, err := r.run(t.Context(), BackfillOrder{Open: true, Until: noon.Add(2 * time.Hour)})
		r.want(p, err, "read 44 new 24 known 20 odd 2 pages 6 requests 5 resumed") // with the one that was going
		if first := r.told[0].From; !p.From.Equal(first) || !p.Until.Equal(noon.Add(2*time.Hour)) {
			t.Errorf("it says %v to %v, and not all that was asked for since %v", p.From, p.Until, first)
		}
	})
	t.Run("trouble is waited for, a while", func(t *testing.T) {
		t.Parallel()
		busy := &sources.ReadError{What: "busy", Again: true, Wait: time.Minute}
		r := newRig(t, &vendor{calls: 5, problems: []error{busy, busy}})
		p, err := r.run(t.Context(), BackfillOrder{})
		r.want(p, err, "read 5 new 4 known 1 odd 0 pages 1 requests 3")
		if w := r.told[1]; w.Waiting != "busy" || w.WaitUntil.IsZero() {
			t.Errorf("it tells %+v while it waits", w)
		}
		r.vendor.problems = []error{busy, busy, busy, busy, busy, busy}
		_, err = r.run(t.Context(), BackfillOrder{})
		if !errors.Is(err, busy) {
			t.Errorf("trouble that does not end: %v", err)
		}
		r.vendor.problems = []error{&sources.ReadError{What: "busy", Again: true, Wait: time.Hour}}
		if _, err = r.run(t.Context(), BackfillOrder{}); err == nil || !strings.Contains(err.Error(), "come back in 1h") {
			t.Errorf("an hour: %v", err)
		}
		r.vendor.problems = []error{&sources.ReadError{What: "refused"}}
		if _, err = r.run(t.Context(), BackfillOrder{}); err == nil || err.Error() != "refused" {
			t.Errorf("a refusal: %v", err)
		}
	})
	t.Run("a vendor that gives one page for ever is left", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, &vendor{calls: 25, stuck: true})
		if p, err := r.run(t.Context(), BackfillOrder{}); err == nil || p.Pages != 1 {
			t.Errorf("got %+v, %v", p, err)
		}
	})
	t.Run("a source without credentials says so", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, &vendor{mute: errors.New("api_key is not set")})
		if _, err := r.run(t.Context(), BackfillOrder{}); err == nil || err.Error() != `source "calls" cannot be asked what happened: api_key is not set` {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a ledger that takes nothing ends it, and nothing is passed over", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, &vendor{calls: 25})
		whole := r.Append
		r.Append = func(ctx context.Context, e store.Event) (store.Receipt, error) {
			if e.ContentKey == "call:14" {
				return store.Receipt{}, store.ErrFull
			}
			return whole(ctx, e)
		}
		if _, err := r.run(t.Context(), BackfillOrder{}); !errors.Is(err, store.ErrFull) {
			t.Fatalf("got %v", err)
		}
		r.Append = whole
		if _, err := r.run(t.Context(), BackfillOrder{}); err != nil || r.events() != 24 {
			t.Errorf("afterwards there are %d events, %v", r.events(), err)
		}
	})
}

func TestBackfillRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &vendor{calls: 25})
		start := time.Now()
		if _, err := r.run(t.Context(), BackfillOrder{Rate: 0.5}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 4*time.Second || took > 5*time.Second {
			t.Errorf("three requests at one in two seconds took %v", took)
		}
		_ = r.Ledger.Close()
	})
}

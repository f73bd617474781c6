package reconcile

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

// Backfill brings in what a vendor knows of a range of time and the ledger
// does not. How far it has come is kept in the ledger, so that one which was
// stopped goes on from there. What it brings goes the road of every event.
type Backfill struct {
	Ledger store.Ledger
	Source string // its name in the settings
	Reader sources.Reader
	// Take makes an item the event that the ledger keeps. Known says that
	// webhooks have told the same call to its end, under another id.
	Take func(ctx context.Context, item sources.Item, at time.Time) (e store.Event, known bool, err error)
	// Append keeps an event.
	Append func(context.Context, store.Event) (store.Receipt, error)
	Now    func() time.Time
	// Wait waits, or returns with the context's error; nil: by the clock.
	Wait func(context.Context, time.Duration) error
	// Most is after how many requests it ends with errBudget, between two pages; 0: never.
	Most int
	// Lasts: one that was stopped is gone on with however long ago that was.
	Lasts bool
}

// BackfillOrder is what to bring in.
type BackfillOrder struct {
	From, Until time.Time
	// Name says which backfill of the source this is, in the words that a
	// person used: the same words go on with one that was stopped.
	Name string
	// Open: Until is only when it was ordered, so that one that goes on
	// continues up to now.
	Open bool
	// DryRun counts, keeps nothing, and begins at the beginning.
	DryRun bool
	// Rate is the most requests in a second, beside the source's own limit; 0: that.
	Rate float64
}

// errBudget ends a backfill that has sent as many requests as it may.
var errBudget = errors.New("the budget of requests is used up")

// Progress is how far a backfill has come; all that was done before it went on
// is counted in.
type Progress struct {
	From      time.Time `json:"from"`
	Until     time.Time `json:"until"`
	Resumed   bool      `json:"resumed,omitempty"`
	Read      int       `json:"read"` // of what the vendor listed in the range
	New       int       `json:"new"`
	Known     int       `json:"known"`
	Odd       int       `json:"quarantined,omitempty"` // of the new ones: not understood
	Pages     int       `json:"pages"`
	Requests  int       `json:"requests"`            // since it was started last
	Part      float64   `json:"part"`                // of the range that is done, up to 1; 0: not known
	Waiting   string    `json:"waiting,omitempty"`   // why it waits
	WaitUntil time.Time `json:"wait_until,omitzero"` // until when
	Done      bool      `json:"done"`
}

// point is what the ledger keeps of a backfill that is not over.
type point struct {
	From, Until, At  time.Time
	Begin            time.Time // of the whole, of which From may be the last part; old points lack it
	Open             bool
	Cursor           string
	Read, New, Known int
	Odd, Pages       int
	Part             float64
}

const (
	// stale is for how long one that was stopped waits to be gone on with: a
	// vendor's cursor does not live for ever, and "--since 2h" means another
	// range tomorrow.
	stale = 24 * time.Hour
	// going is how long before the end of a range a call may have begun that was
	// not listed yet. Longer ones are rare.
	going = 2 * time.Hour
	// tries is how often in a row a page is asked for that the vendor does not give.
	tries = 6
	// patience is the longest that one wait may take.
	patience = 15 * time.Minute
	backoff  = 2 * time.Second
)

// Run brings in what is missing, and tells when it begins and of every page. Its error comes with
// how far it came; the same order goes on from there.
func (b *Backfill) Run(ctx context.Context, o BackfillOrder, tell func(Progress)) (Progress, error) {
	if err := b.Reader.Readable(); err != nil {
		return Progress{}, fmt.Errorf("source %q cannot be asked what happened: %w", b.Source, err)
	}
	if tell == nil {
		tell = func(Progress) {}
	}
	r := &running{Backfill: b, order: o, tell: tell, at: point{From: o.From, Begin: o.From, Until: o.Until, Open: o.Open}}
	if r.Now == nil {
		r.Now = time.Now
	}
	if o.Rate > 0 {
		r.pace = rate.NewLimiter(rate.Limit(o.Rate), 1)
	}
	if !o.DryRun {
		if err := r.recall(ctx); err != nil {
			return Progress{}, err
		}
	}
	tell(r.progress())
	if err := r.pages(ctx); err != nil {
		return r.progress(), err
	}
	// What happened since the first of several runs began, and what was going then:
	// most vendors list calls by their beginning, and only once they are over.
	if r.resumed && r.at.Open && r.at.Until.Before(o.Until) {
		from := r.at.Until.Add(-going)
		if from.Before(r.at.Begin) {
			from = r.at.Begin
		}
		r.at.From, r.at.Until, r.at.Cursor = from, o.Until, ""
		if err := r.pages(ctx); err != nil {
			return r.progress(), err
		}
	}
	if !o.DryRun {
		if err := b.Ledger.PutMark(context.WithoutCancel(ctx), r.mark(), nil); err != nil {
			return r.progress(), err
		}
	}
	r.part, r.done = 1, true
	tell(r.progress())
	return r.progress(), nil
}

// running is one run of a backfill.
type running struct {
	*Backfill
	order    BackfillOrder
	tell     func(Progress)
	at       point
	resumed  bool
	aged     bool // the vendor may not know the cursor any more: then all is listed anew, at one go
	requests int
	part     float64
	waiting  string
	until    time.Time
	done     bool
	pace     *rate.Limiter
}

func (r *running) mark() string { return "backfill " + r.Source + " " + r.order.Name }

// recall finds where the same order was stopped.
func (r *running) recall(ctx context.Context) error {
	text, err := r.Ledger.Mark(ctx, r.mark())
	if err != nil || text == nil {
		return err
	}
	var p point
	if json.Unmarshal(text, &p) == nil && (r.Lasts || r.Now().Sub(p.At) < stale) && p.From.Before(p.Until) {
		r.at, r.resumed, r.part = p, true, p.Part
		r.aged = p.Cursor != "" && r.Now().Sub(p.At) >= stale
		if p.Begin.IsZero() {
			r.at.Begin = p.From
		}
	}
	return nil
}

func (r *running) progress() Progress {
	return Progress{
		From: r.at.Begin, Until: r.at.Until, Resumed: r.resumed, Read: r.at.Read, New: r.at.New, Known: r.at.Known, Odd: r.at.Odd,
		Pages: r.at.Pages, Requests: r.requests, Part: r.part, Waiting: r.waiting, WaitUntil: r.until, Done: r.done,
	}
}

// turn counts a request and keeps to the order's rate.
func (r *running) turn(ctx context.Context) error {
	if r.pace != nil {
		if err := r.pace.Wait(ctx); err != nil {
			return cmp.Or(ctx.Err(), err)
		}
	}
	r.requests++
	return ctx.Err()
}

// pages goes through a range.
func (r *running) pages(ctx context.Context) error {
	for failed := 0; ; {
		page, err := r.Reader.History(ctx, sources.Query{From: r.at.From, Until: r.at.Until, Cursor: r.at.Cursor, Turn: r.turn, Known: r.known})
		if err != nil {
			if r.aged && r.requests > 0 && refused(err) {
				r.aged, r.at.Cursor, r.Most = false, "", 0
				continue
			}
			if failed++; failed >= tries {
				return err
			}
			if err := r.rest(ctx, err, failed); err != nil {
				return err
			}
			continue
		}
		failed, r.aged = 0, false
		if page.Next != "" && page.Next == r.at.Cursor {
			return fmt.Errorf("source %q: the vendor gives the same page again and again", r.Source)
		}
		// A page that has come is kept whole, also when somebody stops us.
		if err := r.keep(context.WithoutCancel(ctx), page); err != nil {
			return err
		}
		r.tell(r.progress())
		if page.Next == "" {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.Most > 0 && r.requests >= r.Most {
			return errBudget
		}
	}
}

// refused tells whether a vendor will not give a page later either.
func refused(err error) bool {
	e, ok := errors.AsType[*sources.ReadError](err)
	return ok && !e.Again
}

// rest waits after a page that did not come, or gives the error back if
// waiting is in vain.
func (r *running) rest(ctx context.Context, err error, failed int) error {
	e, ok := errors.AsType[*sources.ReadError](err)
	if !ok || !e.Again {
		return err
	}
	wait := cmp.Or(e.Wait, backoff<<failed)
	if wait > patience {
		return fmt.Errorf("%w; the vendor asks to come back in %v", err, wait.Round(time.Second))
	}
	r.waiting, r.until = e.What, r.Now().Add(wait)
	r.tell(r.progress())
	r.waiting, r.until = "", time.Time{}
	if r.Wait != nil {
		return r.Wait(ctx, wait)
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// known answers a source that wants to ask more of each item.
func (r *running) known(ctx context.Context, items []sources.Item) ([]bool, error) {
	events, at := make([]store.Event, len(items)), r.now()
	out := make([]bool, len(items))
	for i, item := range items {
		var err error
		if events[i], out[i], err = r.Take(ctx, item, at); err != nil {
			return nil, err
		}
	}
	kept, err := r.Ledger.Known(ctx, events)
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i] = out[i] || kept[i]
	}
	return out, nil
}

func (r *running) now() time.Time { return r.Now().UTC().Truncate(time.Microsecond) }

// keep appends what a page holds and notes that it is done, in this order: a
// page that is read twice changes nothing.
func (r *running) keep(ctx context.Context, page sources.Page) error {
	next := r.at
	next.Read += len(page.Items) + page.Known
	next.Known += page.Known
	var fresh []store.Event
	for _, item := range page.Items {
		e, known, err := r.Take(ctx, item, r.now())
		if err != nil {
			return err
		}
		if known {
			next.Known++
			continue
		}
		fresh = append(fresh, e)
	}
	duplicates, err := r.append(ctx, fresh)
	if err != nil {
		return err
	}
	for i, e := range fresh {
		switch {
		case duplicates[i]:
			next.Known++
		case e.Problem != "":
			next.Odd++
			next.New++
		default:
			next.New++
		}
	}
	next.Pages++
	next.Cursor, next.At, next.Part = page.Next, r.Now(), page.Part
	r.part = page.Part
	if r.at = next; r.order.DryRun {
		return nil
	}
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	crashpoint.At("backfill.kept")
	return r.Ledger.PutMark(ctx, r.mark(), text)
}

// append keeps events and says which of them were there.
func (r *running) append(ctx context.Context, events []store.Event) ([]bool, error) {
	if r.order.DryRun {
		return r.Ledger.Known(ctx, events)
	}
	duplicates, errs := make([]bool, len(events)), make([]error, len(events))
	var all sync.WaitGroup // they share a sync of the disk
	for i, e := range events {
		all.Go(func() {
			var receipt store.Receipt
			receipt, errs[i] = r.Append(ctx, e)
			duplicates[i] = receipt.Duplicate
		})
	}
	all.Wait()
	return duplicates, errors.Join(errs...)
}

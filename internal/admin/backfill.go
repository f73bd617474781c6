package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// Backfiller brings in what a vendor knows and the ledger does not.
type Backfiller interface {
	// Backfill does an order and tells how far it is, at least after every
	// page. The answer is how far it came, also beside an error; the same order
	// goes on from there.
	Backfill(ctx context.Context, source string, o BackfillOrder, tell func(BackfillProgress)) (BackfillProgress, error)
}

// BackfillOrder is what to bring in.
type BackfillOrder struct {
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Name   string    `json:"name"`           // the range in the words of who asks
	Open   bool      `json:"open,omitempty"` // Until is only now
	DryRun bool      `json:"dry_run,omitempty"`
	Rate   float64   `json:"rate,omitempty"` // requests in a second at most; 0: the source's own limit
}

// BackfillProgress is how far a backfill has come.
type BackfillProgress struct {
	From      time.Time `json:"from"`
	Until     time.Time `json:"until"`
	Resumed   bool      `json:"resumed,omitempty"`
	Read      int       `json:"read"`
	New       int       `json:"new"`
	Known     int       `json:"known"`
	Odd       int       `json:"quarantined,omitempty"`
	Pages     int       `json:"pages"`
	Requests  int       `json:"requests"`
	Part      float64   `json:"part"` // of the range that is done, up to 1; 0: not known
	Waiting   string    `json:"waiting,omitempty"`
	WaitUntil time.Time `json:"wait_until,omitzero"`
	Done      bool      `json:"done"`
}

var (
	_ Backfiller = (*Desk)(nil)
	_ Backfiller = (*Client)(nil)
)

// Backfill implements Backfiller. One source has one at a time.
func (d *Desk) Backfill(ctx context.Context, source string, o BackfillOrder, tell func(BackfillProgress)) (BackfillProgress, error) {
	switch {
	case d.Backfills == nil:
		return BackfillProgress{}, errors.New("nothing can be brought in here")
	case o.From.IsZero() || !o.From.Before(o.Until):
		return BackfillProgress{}, errors.New("a backfill wants a time to begin at that is before its end")
	case o.Rate < 0:
		return BackfillProgress{}, errors.New("the rate of a backfill cannot be negative")
	}
	d.mu.Lock()
	busy := d.filling[source]
	if !busy {
		if d.filling == nil {
			d.filling = map[string]bool{}
		}
		d.filling[source] = true
	}
	d.mu.Unlock()
	if busy {
		return BackfillProgress{}, fmt.Errorf("a backfill of %s is running already", source)
	}
	defer func() {
		d.mu.Lock()
		delete(d.filling, source)
		d.mu.Unlock()
	}()
	if !o.DryRun && d.serves(source, "") {
		a := store.Audit{Who: actorOf(ctx), What: "backfill", On: []string{source}, Note: "from " + o.From.UTC().Format(time.RFC3339) + " until " + o.Until.UTC().Format(time.RFC3339)}
		if err := d.Ledger.KeepAudit(ctx, a); err != nil {
			return BackfillProgress{}, err
		}
	}
	brought := 0
	return d.Backfills(ctx, source, o, func(p BackfillProgress) {
		if p.New > brought && !o.DryRun {
			brought = p.New
			_ = d.then(nil)
		}
		if tell != nil {
			tell(p)
		}
	})
}

// told is one line of the answer to a backfill: how far it is, and at the end
// what went wrong.
type told struct {
	BackfillProgress
	Error string `json:"error,omitempty"`
}

func (h *handler) backfill(w http.ResponseWriter, r *http.Request) {
	b, ok := h.ops.(Backfiller)
	if !ok {
		fail(w, http.StatusNotFound, "nothing can be brought in here")
		return
	}
	var o BackfillOrder
	if !readOrder(w, r, &o, `{"from": …, "until": …}`) {
		return
	}
	say := saying(w)
	p, err := b.Backfill(r.Context(), r.PathValue("name"), o, func(p BackfillProgress) {
		if !p.Done {
			say(told{BackfillProgress: p})
		}
	})
	last := told{BackfillProgress: p}
	if err != nil {
		last.Error = err.Error()
	}
	last.Done = true
	say(last)
}

// Backfill implements Backfiller. The daemon stops when ctx ends.
func (c *Client) Backfill(ctx context.Context, source string, o BackfillOrder, tell func(BackfillProgress)) (p BackfillProgress, err error) {
	err = c.stream(ctx, "/api/sources/"+url.PathEscape(source)+"/backfill", o, func(line []byte) (over bool, err error) {
		var t told
		if err := json.Unmarshal(line, &t); err != nil {
			return false, fmt.Errorf("the daemon's answer cannot be read: %w", err)
		}
		p = t.BackfillProgress
		switch {
		case t.Error != "":
			p.Done = false
			return false, errors.New(t.Error)
		case !p.Done && tell != nil:
			tell(p)
		}
		return p.Done, nil
	})
	if errors.Is(err, errCut) {
		err = errors.New("the daemon ended before the backfill did; the same command goes on from there")
	}
	return p, err
}

// refusedBy is the error in an answer that is not 200.
func refusedBy(resp *http.Response) error {
	var problem struct {
		Error string `json:"error"`
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if json.Unmarshal(body, &problem) != nil || problem.Error == "" {
		return fmt.Errorf("the admin address answered %s; does another program listen there?", resp.Status)
	}
	if problem.Error == noPath {
		return errors.New("the daemon cannot be asked that; is it of another version than the command?")
	}
	if resp.StatusCode == http.StatusNotFound {
		// The daemon's error ends as every such error does: said once is enough.
		return fmt.Errorf("%s: %w", strings.TrimSuffix(problem.Error, ": "+store.ErrNotFound.Error()), store.ErrNotFound)
	}
	return errors.New(problem.Error)
}

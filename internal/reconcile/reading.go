package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// spending is what a connector's runs used of a day.
type spending struct {
	Day  string
	Used int
}

func (p *passage) spent(ctx context.Context) (spending, error) {
	today := p.now().Format(time.DateOnly)
	text, err := p.Ledger.Mark(ctx, targetOf(p.run).mark("spent"))
	var s spending
	if err != nil || text == nil || json.Unmarshal(text, &s) != nil || s.Day != today {
		s = spending{Day: today}
	}
	return s, err
}

// afford says how many records may be read now; 0: the budget is used up.
func (p *passage) afford(ctx context.Context, conn Connector) (int, error) {
	left := readAtOnce / perRequest
	if conn.PerRun > 0 && !p.run.Full {
		if left = min(left, conn.PerRun-p.run.Requests); left <= 0 {
			p.run.Note = "the budget of requests of one run is used up; the next run goes on"
			return 0, nil
		}
	}
	if conn.PerDay > 0 {
		s, err := p.spent(ctx)
		if err != nil {
			return 0, err
		}
		if left = min(left, conn.PerDay-s.Used); left <= 0 {
			p.run.Note = "the budget of requests of this day is used up; tomorrow's run goes on"
			return 0, nil
		}
	}
	return left * perRequest, nil
}

// read reads records, when live deliveries leave room for it. What fails for
// want of breath is asked for again; then the error is the run's.
func (p *passage) read(ctx context.Context, conn Connector, list []*record, fields []string) ([]connectors.Read, error) {
	out := make([]connectors.Read, len(list))
	left := make([]int, len(list)) // places in list
	for i := range list {
		left[i] = i
	}
	for failed := 0; ; {
		if err := p.letLivePass(ctx); err != nil {
			return nil, err
		}
		ids := make([]string, len(left))
		for i, at := range left {
			ids[i] = list[at].key.ID
		}
		reads, err := p.readOnce(ctx, conn, list[0].key.Object, ids, fields)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var e *connectors.Error
		if err != nil {
			e = connectors.AsError(err)
		} else {
			again := left[:0]
			for i, at := range left {
				if out[at] = reads[i]; passing(reads[i].Err) {
					e, again = reads[i].Err, append(again, at)
				}
			}
			left = again
		}
		if e == nil {
			return out, nil
		}
		wait := max(e.Wait, backoff<<failed)
		if failed++; failed >= tries || !passing(e) || e.Park || wait > patience {
			return nil, e
		}
		p.step.Waiting = e.Error()
		p.show(p.step)
		if err := p.wait(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// passing tells whether an error may be gone the next time.
func passing(e *connectors.Error) bool {
	return e != nil && (e.Kind == connectors.Transient || e.Kind == connectors.RateLimited || e.Kind == connectors.Unknown || e.Kind == connectors.Auth)
}

func (p *passage) readOnce(ctx context.Context, conn Connector, object string, ids, fields []string) ([]connectors.Read, error) {
	counted, requests := ctx, func() int { return 0 }
	if p.Count != nil {
		counted, requests = p.Count(ctx)
	}
	reads, err := conn.Reader.Read(counted, object, ids, fields)
	if spendErr := p.spend(context.WithoutCancel(ctx), requests()); spendErr != nil {
		return nil, spendErr
	}
	if err == nil && len(reads) != len(ids) {
		err = errors.New("the connector answered for another number of records")
	}
	return reads, err
}

// spend notes requests of the run and the day.
func (p *passage) spend(ctx context.Context, n int) error {
	p.run.Requests += n
	if n == 0 {
		return nil
	}
	s, err := p.spent(ctx)
	if err != nil {
		return err
	}
	s.Used += n
	return p.putMark(ctx, "spent", s)
}

// letLivePass waits while deliveries are under way.
func (p *passage) letLivePass(ctx context.Context) error {
	if p.Busy == nil {
		return nil
	}
	for waited := time.Duration(0); ; waited += pass {
		busy, down := p.Busy(p.run.Connector)
		switch {
		case down:
			return errDown
		case !busy || waited >= letPass:
			return nil
		}
		if err := p.wait(ctx, pass); err != nil {
			return err
		}
	}
}

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

// left is how many requests the run may still send; 0: note says why.
func (p *passage) left(ctx context.Context, conn Connector) (n int, note string, err error) {
	n = readAtOnce // which no batch takes
	if conn.PerRun > 0 && !p.run.Full {
		if n = min(n, conn.PerRun-p.run.Requests); n <= 0 {
			return 0, "the budget of requests of one run is used up; the next run goes on", nil
		}
	}
	if conn.PerDay > 0 {
		s, err := p.spent(ctx)
		if err != nil {
			return 0, "", err
		}
		if n = min(n, conn.PerDay-s.Used); n <= 0 {
			return 0, "the budget of requests of this day is used up; tomorrow's run goes on", nil
		}
	}
	if conn.dayUsed() {
		return 0, "what the CRM's limit of a day leaves is for live deliveries; the next run goes on", nil
	}
	return n, "", nil
}

// afford says how many records may be read now; 0: the budget is used up.
func (p *passage) afford(ctx context.Context, conn Connector) (int, error) {
	left, note, err := p.left(ctx, conn)
	if err != nil || left == 0 {
		p.run.Note = note
		return 0, err
	}
	return min(left, max(conn.room(false), 1)) * perRequest, nil
}

// read reads records.
func (p *passage) read(ctx context.Context, conn Connector, list []*record, fields []string) ([]connectors.Read, error) {
	return p.persist(ctx, conn, len(list), false, func(ctx context.Context, places []int) ([]connectors.Read, error) {
		ids := make([]string, len(places))
		for i, at := range places {
			ids[i] = list[at].key.ID
		}
		return conn.Reader.Read(ctx, list[0].key.Object, ids, fields)
	})
}

// persist asks for n records by their places. What fails for want of breath is
// asked for again, when live deliveries leave room for it; then the error is the
// run's, or that of those records where the CRM gave others.
func (p *passage) persist(ctx context.Context, conn Connector, n int, searches bool, ask func(context.Context, []int) ([]connectors.Read, error)) ([]connectors.Read, error) {
	out := make([]connectors.Read, n)
	left := make([]int, n) // places in out
	for i := range left {
		left[i] = i
	}
	for failed := 0; ; {
		p.asks(true)
		reads, err := p.askOnce(ctx, left, ask)
		p.step.Asks = false
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
		failed++
		if failed >= tries && err == nil && len(left) < n && (e.Kind == connectors.Transient || e.Kind == connectors.Unknown) && !e.Account {
			return out, nil // the CRM answers, only not of these
		}
		if failed >= tries || !passing(e) || e.Park || wait > patience {
			return nil, e
		}
		p.step.Waiting = e.Error()
		p.show(p.step)
		if err := p.wait(ctx, wait); err != nil {
			return nil, err
		}
		if err := p.letLivePass(ctx, conn, searches); err != nil {
			return nil, err
		}
	}
}

// passing tells whether an error may be gone the next time.
func passing(e *connectors.Error) bool {
	return e != nil && (e.Kind == connectors.Transient || e.Kind == connectors.RateLimited || e.Kind == connectors.Unknown || e.Kind == connectors.Auth)
}

func (p *passage) askOnce(ctx context.Context, places []int, ask func(context.Context, []int) ([]connectors.Read, error)) ([]connectors.Read, error) {
	counted, requests := ctx, func() int { return 0 }
	if p.Count != nil {
		counted, requests = p.Count(ctx)
	}
	reads, err := ask(counted, places)
	if spendErr := p.spend(context.WithoutCancel(ctx), requests()); spendErr != nil {
		return nil, spendErr
	}
	if err == nil && len(reads) != len(places) {
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

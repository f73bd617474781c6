package deliver

import (
	"context"
	"fmt"
	"sync"
)

// pulse tells those who ask when a loop goes round the next time.
type pulse struct {
	mu   sync.Mutex
	next chan struct{} // closed at the next turn; nil while nobody asks
}

// turn is called by the loop each time that it goes round.
func (p *pulse) turn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next != nil {
		close(p.next)
		p.next = nil
	}
}

// ask gives a channel that is closed at the next turn.
func (p *pulse) ask() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		p.next = make(chan struct{})
	}
	return p.next
}

// Alive returns once the planning loop and that of every connector have gone
// round, for which they are woken; the error names the one that has not when
// ctx ends. A CRM that hangs does not keep its loop from turning. Before Run
// and while it stops there is nothing to wait for.
func (d *Deliverer) Alive(ctx context.Context) error {
	d.mu.Lock()
	running := d.running
	turns := map[string]<-chan struct{}{"planning": d.pulse.ask()}
	for name, t := range d.targets {
		turns["connector "+name] = t.pulse.ask()
		t.poke()
	}
	d.mu.Unlock()
	if running == nil {
		return nil
	}
	d.Wake()
	for name, turned := range turns {
		select {
		case <-turned:
		case <-running.Done():
			return nil
		case <-ctx.Done():
			return fmt.Errorf("the loop of %s does not turn: %w", name, ctx.Err())
		}
	}
	return nil
}

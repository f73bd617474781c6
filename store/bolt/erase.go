package bolt

import (
	"context"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/store"
)

// erased stands where a reason was.
const erased = "(erased)"

// Erase implements store.Ledger. What is deleted stays in free pages of the
// file until Compact.
func (l *Ledger) Erase(ctx context.Context, e store.Erasure) (store.Erased, error) {
	var done store.Erased
	err := l.write(ctx, perRecord*(4*len(e.Events)+len(e.Links)+len(e.Heads)+len(e.Deliveries)+len(e.Discards)), audited(ctx, func(t *txn) error {
		done = store.Erased{}
		for _, seq := range e.Events {
			before := t.counts.events
			n, err := t.deleteEvent(seq)
			if err != nil {
				return err
			}
			done.Deliveries += n
			done.Events += int(before - t.counts.events)
		}
		for _, k := range e.Links {
			key, _ := t.linkHash(k)
			if err := t.forget(linksBucket, key, &done.Links); err != nil {
				return err
			}
		}
		for _, k := range e.Heads {
			key, old, _ := t.headHash(k)
			if t.bucket(headsBucket).Get(key) == nil {
				key = old
			}
			if err := t.forget(headsBucket, key, &done.Heads); err != nil {
				return err
			}
		}
		if err := t.eraseFindings(e.Heads, e.Events); err != nil {
			return err
		}
		if err := t.eraseKeptReasons(e, &done.Reasons); err != nil {
			return err
		}
		return t.eraseReasons(e.Audits, &done.Audits)
	}), nil)
	crashpoint.At("erase.kept")
	if err != nil {
		return store.Erased{}, err // where ctx has ended, the commit may be under way still
	}
	return done, nil
}

func (t *txn) forget(b bucket, key []byte, n *int) error {
	if t.bucket(b).Get(key) == nil {
		return nil
	}
	*n++
	return t.del(b, key)
}

func (t *txn) eraseReasons(ids []uint64, n *int) error {
	for _, id := range ids {
		a, err := t.audit(id)
		if isNotFound(err) || err == nil && a.Reason == "" {
			continue
		}
		if err != nil {
			return err
		}
		a.Reason = erased
		if err := t.writeAudit(a); err != nil {
			return err
		}
		*n++
	}
	return nil
}

// eraseKeptReasons takes out those of deliveries and events that stay. When these
// changed last stays as well: what is under way is settled as if nothing had been.
func (t *txn) eraseKeptReasons(e store.Erasure, n *int) error {
	for _, id := range e.Deliveries {
		kept, err := t.delivery(id)
		if isNotFound(err) || err == nil && kept.Reason == "" {
			continue
		}
		if err != nil {
			return err
		}
		d := kept
		d.Reason = erased
		if err := t.replace(&kept, &d, time.Time{}); err != nil {
			return err
		}
		*n++
	}
	for _, seq := range e.Discards {
		ev, head, err := t.event(seq)
		if isNotFound(err) || err == nil && ev.Discarded == "" {
			continue
		}
		if err != nil {
			return err
		}
		ev.Discarded = erased
		if err := t.putEvent(ev, head); err != nil {
			return err
		}
		*n++
	}
	return nil
}

// DiscardEvents implements store.Ledger.
func (l *Ledger) DiscardEvents(ctx context.Context, seqs []uint64, reason string) (changed int, err error) {
	var n int
	err = l.write(ctx, 4*perRecord*len(seqs), audited(ctx, func(t *txn) error {
		for _, seq := range seqs {
			if _, err := t.eventHead(seq); err != nil {
				return err
			}
		}
		n = 0
		for _, seq := range seqs {
			done, err := t.setAside(seq, reason)
			if err != nil {
				return err
			}
			if done {
				n++
			}
		}
		if n == 0 {
			return errUnchanged
		}
		return nil
	}), nil)
	if err != nil {
		return 0, err // as of Erase
	}
	return n, nil
}

// setAside discards an event that goes nowhere; done is false of others.
func (t *txn) setAside(seq uint64, reason string) (done bool, err error) {
	e, head, err := t.event(seq)
	if err != nil {
		return false, err
	}
	switch t.stateOf(&e, t.deliveriesOf(seq)) {
	case store.Quarantined, store.Unmatched:
	case store.Waiting, store.Done, store.Dead, store.Discarded:
		return false, nil
	}
	was := e
	if e.Discarded = reason; reason == "" {
		e.Discarded = "no reason given"
	}
	if err := t.putEvent(e, head); err != nil {
		return false, err
	}
	if err := t.listUnmatched(&e, false); err != nil {
		return false, err
	}
	return true, t.listQuarantined(&was, &e)
}

package bolt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// Calls that are told by several events are found by their id: vendors' ids
// mostly begin with a time or a counter, so that those of one day lie together.

// callKey is the key of a call in the running bucket, and what its keys in the
// calls bucket begin with. In a ledger whose keys are hidden, Running tells the
// call from the record.
func (b *blind) callKey(source, call string) []byte {
	call = b.call(call)
	k := make([]byte, 0, len(source)+len(call)+2+8)
	k = append(append(k, source...), 0)
	return append(append(k, call...), 0)
}

// indexCalls notes which calls a new event belongs to, and whether its own
// runs on.
func (t *txn) indexCalls(e *store.Event) error {
	for i, call := range e.Calls {
		key := t.blind().callKey(e.Source, call)
		if err := t.put(callsBucket, binary.BigEndian.AppendUint64(bytes.Clone(key), e.Seq), newRecord(0)); err != nil {
			return err
		}
		var err error
		switch {
		case i > 0:
		case e.Ended:
			err = t.del(runningBucket, key)
		default:
			err = t.put(runningBucket, key, t.blind().running(appendTime(newRecord(timeLen), e.ReceivedAt), call))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Story implements store.Ledger. Damaged events are passed over and logged.
func (l *Ledger) Story(ctx context.Context, source string, calls []string, limit int) ([]store.Event, error) {
	var events []store.Event
	err := l.read(ctx, func(t *txn) error {
		var seqs []uint64
		c := t.bucket(callsBucket).Cursor()
		for _, call := range calls {
			prefix := t.blind().callKey(source, call)
			for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix) && len(k) == len(prefix)+8; k, _ = c.Next() {
				seqs = append(seqs, binary.BigEndian.Uint64(k[len(prefix):]))
			}
		}
		slices.Sort(seqs)
		seqs = slices.Compact(seqs)
		for _, seq := range seqs[max(0, len(seqs)-limit):] {
			e, _, err := t.event(seq)
			if err != nil {
				l.reportDamage(err)
				continue
			}
			events = append(events, e)
		}
		return nil
	})
	return events, err
}

// Running implements store.Ledger.
func (l *Ledger) Running(ctx context.Context, source string, until time.Time, limit int) ([]store.Running, error) {
	var out []store.Running
	err := l.read(ctx, func(t *txn) error {
		prefix := connectorPrefix(source, 0)
		c := t.bucket(runningBucket).Cursor()
		for k, rec := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, rec = c.Next() {
			payload, err := t.unseal(runningBucket, k, rec)
			if err == nil {
				var last time.Time
				if last, err = t.blind().readRunning(k, payload); err == nil && last.Before(until) {
					call := string(k[len(prefix) : len(k)-1])
					if t.blind() != nil {
						call = string(payload[timeLen:])
					}
					out = append(out, store.Running{Call: call, Last: last})
				}
			}
			if err != nil {
				l.reportDamage(err)
			}
		}
		return nil
	})
	// Those that wait longest come first where there are too many.
	slices.SortFunc(out, func(a, b store.Running) int {
		return cmp.Or(a.Last.Compare(b.Last), strings.Compare(a.Call, b.Call))
	})
	return out[:min(len(out), limit)], err
}

// StopRunning implements store.Ledger.
func (l *Ledger) StopRunning(ctx context.Context, source, call string) error {
	return l.write(ctx, perRecord, func(t *txn) error { return t.del(runningBucket, t.blind().callKey(source, call)) }, nil)
}

// running adds what the key of a call that runs does not tell.
func (b *blind) running(rec []byte, call string) []byte {
	if b == nil {
		return rec
	}
	return append(rec, call...)
}

func (b *blind) readRunning(key, payload []byte) (time.Time, error) {
	if len(payload) < timeLen || b == nil && len(payload) > timeLen {
		return time.Time{}, damaged(runningBucket, key, "it cannot be read")
	}
	return readTime(payload), nil
}

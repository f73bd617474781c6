package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/crmsyncd/crmsyncd/store"
)

// Bounds of one read transaction of Verify.
const (
	verifyRecords = 2000
	verifyBytes   = 4 << 20
)

// Verify implements store.Ledger. It checks the structure of the file, every
// record's checksum, and that indexes and sums agree with what they are made
// from. Sums are compared only if nothing was written meanwhile.
func (l *Ledger) Verify(ctx context.Context, progress func(done, total int)) ([]store.Damage, error) {
	v := &verifier{l: l, progress: progress}
	err := v.all(ctx)
	return v.damage, err
}

func (v *verifier) all(ctx context.Context) error {
	l := v.l
	commits := l.commits.Load()
	err := l.read(ctx, func(t *txn) (err error) {
		if err := l.structure(t); err != nil {
			v.add("file", "", err.Error())
		}
		if v.counts, err = t.readCounts(); err != nil {
			v.add(metaBucket.name, string(countsKey), err.Error())
		}
		if v.forgotten, err = t.readForgotten(); err != nil {
			v.add(metaBucket.name, string(forgottenKey), err.Error())
		}
		v.parts = t.readParts()
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrCorrupt) {
		return err
	}
	if err != nil {
		v.add("file", "", err.Error())
	}
	v.total = int(v.counts.events)
	for _, c := range v.counts.connectors {
		v.total += int(c.waiting + c.done + c.dead + c.discarded)
	}
	for _, b := range buckets {
		err := v.walk(ctx, b)
		if errors.Is(err, store.ErrCorrupt) {
			v.add(b.name, "", err.Error())
		} else if err != nil {
			return err
		}
	}
	if commits == l.commits.Load() && !v.closed {
		v.compare()
	}
	return nil
}

// structure reads the pages of the transaction's state. They do not change
// while it is open.
func (l *Ledger) structure(t *txn) error {
	pageSize := int64(t.at.db.Info().PageSize)
	h := header{pageSize: pageSize, root: uint64(t.tx.Cursor().Bucket().Root()), pages: uint64(t.tx.Size() / pageSize)}
	w := walker{f: t.at.file, h: h, visited: make([]uint64, h.pages/64+1)}
	return w.bucket(h.root, 0)
}

type verifier struct {
	l        *Ledger
	progress func(done, total int)
	closed   bool // the keys are not at hand
	done     int
	total    int
	damage   []store.Damage
	counts   counts // as kept
	found    counts // as counted

	forgotten forgotten
	parts     []part // of the index of ids
}

func (v *verifier) add(bucket, key, what string) {
	v.damage = append(v.damage, store.Damage{Bucket: bucket, Key: key, What: what})
}

func (v *verifier) report(b bucket, key []byte, err error) {
	var d *damageError
	if errors.As(err, &d) && d.bucket == b.name {
		v.add(d.bucket, d.key, d.what)
		return
	}
	v.add(b.name, printable(b, key), err.Error())
}

// walk reads a bucket, in transactions that are short.
func (v *verifier) walk(ctx context.Context, b bucket) error {
	var last []byte
	for more := true; more; {
		err := v.l.read(ctx, func(t *txn) error {
			records, size := 0, 0
			if more = t.tx.Bucket([]byte(b.name)) != nil; !more {
				return nil // a file of an older layout
			}
			c := t.bucket(b).Cursor()
			k, rec := c.First()
			if last != nil {
				if k, rec = c.Seek(last); bytes.Equal(k, last) {
					k, rec = c.Next()
				}
			}
			for ; k != nil && records < verifyRecords && size < verifyBytes; k, rec = c.Next() {
				if bytes.Compare(k, last) <= 0 && last != nil || !bytes.Equal(t.bucket(b).Get(k), rec) {
					v.add(b.name, printable(b, k), "it is out of order")
				}
				if err := v.check(t, b, k, rec); err != nil {
					v.report(b, k, err)
				}
				last = bytes.Clone(k)
				records++
				size += len(rec)
			}
			more = k != nil
			return nil
		})
		if err != nil {
			return err
		}
		if v.progress != nil {
			v.progress(min(v.done, v.total), v.total)
		}
	}
	return nil
}

func (v *verifier) check(t *txn, b bucket, k, rec []byte) error {
	if v.closed {
		v.done++
		if b == eventsBucket {
			rec = headOf(rec)
		}
		_, err := checkSeal(b, k, rec)
		return err
	}
	switch b {
	case eventsBucket:
		v.done++
		return v.event(t, k, rec)
	case deliveriesBucket:
		v.done++
		return v.delivery(t, k, rec)
	}
	payload, err := t.unseal(b, k, rec)
	if err != nil {
		return err
	}
	switch b {
	case idsBucket:
		if len(k) == len(idDay{}) && k[0] == idFilter {
			_, err := readFilter(k, payload)
			return err
		}
		if len(k) != len(idKey{}) || len(payload) != idValueLen {
			return damaged(b, k, "it cannot be read")
		}
	case replanBucket:
		v.found.unplanned++
		return v.replan(t, k)
	case statesBucket:
		return v.state(t, k, payload)
	case lanesBucket:
		return v.lane(t, k, payload)
	case dueBucket:
		return v.due(t, k, payload)
	case headsBucket:
		if len(payload) < 16 {
			return damaged(b, k, "it cannot be read")
		}
		_, err := decodeHeads(k, payload[16:])
		return err
	case callsBucket:
		if len(k) <= 8 || t.bucket(eventsBucket).Get(k[len(k)-8:]) == nil {
			return damaged(b, k, "its event is missing")
		}
	case runningBucket:
		if _, err := t.blind().readRunning(k, payload); err != nil {
			return err
		}
	case linksBucket:
		if len(payload) <= 16 {
			return damaged(b, k, "it cannot be read")
		}
	case auditBucket:
		_, err := decodeAudit(k, payload)
		return err
	case runsBucket:
		return checkRun(k, payload)
	}
	return nil
}

// compare compares the sums kept with what was counted.
func (v *verifier) compare() {
	differ := func(what string, kept, found uint64) {
		if kept != found {
			v.add(metaBucket.name, string(countsKey), fmt.Sprintf("%d %s are counted, %d are there", kept, what, found))
		}
	}
	differ("events", v.counts.events, v.found.events)
	differ("quarantined events", v.counts.quarantined, v.found.quarantined)
	differ("unplanned events", v.counts.unplanned, v.found.unplanned)
	for _, c := range v.counts.connectors {
		for _, s := range []store.State{store.Waiting, store.Done, store.Dead, store.Discarded} {
			differ(string(s)+" deliveries to "+c.name, *v.counts.of(c.name, s), *v.found.of(c.name, s))
		}
	}
}

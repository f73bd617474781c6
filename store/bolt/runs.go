package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"maps"

	"github.com/crmsyncd/crmsyncd/store"
)

// Runs and their findings lie in one bucket: a run under its id (8 bytes), its
// findings behind it under id and number (4 bytes).

func findingKey(run uint64, n int) []byte {
	return binary.BigEndian.AppendUint32(seqKey(run), uint32(n))
}

// PutRun implements store.Ledger.
func (l *Ledger) PutRun(ctx context.Context, r store.Run, add []store.Finding) (store.Run, error) {
	given := r
	err := l.write(ctx, perRecord*(1+len(add)), func(t *txn) error {
		r = given // run may be called again
		if r.ID == 0 {
			r.Findings, r.Dropped = 0, 0
			if err := t.nextRun(&r); err != nil {
				return err
			}
		} else {
			kept, err := t.run(r.ID)
			if err != nil {
				return err
			}
			r.Findings, r.Dropped = kept.Findings, kept.Dropped
		}
		for _, f := range add {
			if r.Findings >= store.MaxFindings {
				r.Dropped++
				continue
			}
			if err := t.putJSON(findingKey(r.ID, r.Findings), f); err != nil {
				return err
			}
			r.Findings++
		}
		return t.putJSON(seqKey(r.ID), r)
	}, nil)
	if err != nil {
		return given, err // where ctx has ended, the commit may be under way still
	}
	return r, nil
}

// nextRun gives a run its id and lets go of those that are too many.
func (t *txn) nextRun(r *store.Run) error {
	r.ID = 1
	c := t.bucket(runsBucket).Cursor()
	if k, _ := c.Last(); len(k) >= 8 {
		r.ID = binary.BigEndian.Uint64(k) + 1
	}
	var old [][]byte
	for k, _ := c.First(); k != nil && binary.BigEndian.Uint64(k)+store.MaxRuns <= r.ID; k, _ = c.Next() {
		old = append(old, bytes.Clone(k))
	}
	for _, k := range old {
		if err := t.del(runsBucket, k); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) putJSON(key []byte, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return t.put(runsBucket, key, append(newRecord(len(text)), text...))
}

func (t *txn) run(id uint64) (r store.Run, err error) {
	key := seqKey(id)
	payload, err := t.get(runsBucket, key)
	if err != nil {
		return r, err
	}
	if payload == nil {
		return r, notFound("reconcile run")
	}
	if json.Unmarshal(payload, &r) != nil {
		return r, damaged(runsBucket, key, "it cannot be read")
	}
	return r, nil
}

// Run implements store.Ledger.
func (l *Ledger) Run(ctx context.Context, id uint64) (r store.Run, err error) {
	err = l.read(ctx, func(t *txn) error {
		r, err = t.run(id)
		return err
	})
	return r, err
}

// Runs implements store.Ledger. Damaged ones are passed over and logged.
func (l *Ledger) Runs(ctx context.Context, f store.RunFilter) ([]store.Run, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	var out []store.Run
	err := l.read(ctx, func(t *txn) error {
		out = nil
		c := t.bucket(runsBucket).Cursor()
		k, _ := c.Last()
		for ; k != nil && len(out) < limit; k, _ = c.Prev() {
			id := binary.BigEndian.Uint64(k)
			if len(k) > 8 {
				if k, _ = c.Seek(seqKey(id)); len(k) != 8 {
					continue // its run is damaged or gone
				}
			}
			if f.Before != 0 && id >= f.Before {
				continue
			}
			r, err := t.run(id)
			switch {
			case err != nil:
				l.reportDamage(err)
			case f.Source != "" && r.Source != f.Source, f.Connector != "" && r.Connector != f.Connector, f.State != "" && r.State != f.State:
			default:
				out = append(out, r)
			}
		}
		return nil
	})
	return out, err
}

// Findings implements store.Ledger. Damaged ones are passed over and logged.
func (l *Ledger) Findings(ctx context.Context, run uint64, skip, limit int) ([]store.Finding, error) {
	var out []store.Finding
	err := l.read(ctx, func(t *txn) error {
		out = nil
		prefix := seqKey(run)
		c := t.bucket(runsBucket).Cursor()
		for k, _ := c.Seek(findingKey(run, max(skip, 0))); bytes.HasPrefix(k, prefix) && (limit <= 0 || len(out) < limit); k, _ = c.Next() {
			payload, err := t.get(runsBucket, k)
			var f store.Finding
			if err == nil && json.Unmarshal(payload, &f) != nil {
				err = damaged(runsBucket, k, "it cannot be read")
			}
			if err != nil {
				l.reportDamage(err)
				continue
			}
			out = append(out, f)
		}
		return nil
	})
	return out, err
}

// Follow implements store.Ledger.
func (l *Ledger) Follow(ctx context.Context, from store.RecordKey, to string, keys []store.LinkKey) error {
	return l.write(ctx, perRecord*(2+len(keys)), func(t *txn) error {
		for _, k := range keys {
			key, check := t.linkHash(k)
			id, err := t.checked(linksBucket, key, check)
			if err != nil {
				t.l.reportDamage(err) // the next delivery looks it up
				continue
			}
			if string(id) != from.ID {
				continue
			}
			if err := t.putLink(k, to); err != nil {
				return err
			}
		}
		if to != "" {
			if err := t.inherit(from, store.RecordKey{Connector: from.Connector, Object: from.Object, ID: to}); err != nil {
				return err
			}
		}
		return t.mergeHead(from, nil)
	}, nil)
}

// inherit gives a record what is known of another one, as far as nothing is
// known of itself.
func (t *txn) inherit(from, to store.RecordKey) error {
	theirs, err := t.head(from)
	if err != nil {
		t.l.reportDamage(err)
		return nil
	}
	own, err := t.head(to)
	if err != nil {
		t.l.reportDamage(err)
	}
	maps.DeleteFunc(theirs, func(field string, _ store.FieldHead) bool { _, known := own[field]; return known })
	if len(theirs) == 0 {
		return nil
	}
	return t.mergeHead(to, theirs)
}

// eraseFindings deletes what runs found about records, and by events.
func (t *txn) eraseFindings(records []store.RecordKey, events []uint64) error {
	about, by := map[store.RecordKey]bool{}, map[string]bool{}
	for _, k := range records {
		about[k] = true
	}
	for _, seq := range events {
		by[store.EventID(seq)] = true
	}
	var gone [][]byte
	var connector string
	c := t.bucket(runsBucket).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if len(k) == 8 {
			r, err := t.run(binary.BigEndian.Uint64(k))
			if connector = ""; err == nil {
				connector = r.Connector
			}
			continue
		}
		payload, err := t.get(runsBucket, k)
		if err != nil {
			continue
		}
		var f store.Finding
		if json.Unmarshal(payload, &f) != nil || by[f.Event] || about[store.RecordKey{Connector: connector, Object: f.Object, ID: f.Record}] {
			gone = append(gone, bytes.Clone(k))
		}
	}
	for _, k := range gone {
		if err := t.del(runsBucket, k); err != nil {
			return err
		}
	}
	return nil
}

// checkRun is Verify's look at a record of the bucket.
func checkRun(key, payload []byte) error {
	if len(key) != 8 && len(key) != 12 || !json.Valid(payload) {
		return damaged(runsBucket, key, "it cannot be read")
	}
	return nil
}

package deliver

import (
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// older reports whether version a comes before version b.
func older(a, b store.FieldHead) bool { return a.Older(b) }

func version(d store.Delivery) store.FieldHead {
	return store.FieldHead{At: d.OccurredAt, Rank: d.Rank, Seq: d.ID.Seq}
}

// versioned is a field of an event on its way to a record.
type versioned struct {
	mapping.Field
	version store.FieldHead // without Hash
}

// merge keeps for every field the newest of the values; the order of first
// appearance stays.
func merge(fields []versioned) []versioned {
	at := make(map[string]int, len(fields))
	out := make([]versioned, 0, len(fields))
	for i := range fields {
		f := &fields[i]
		j, seen := at[f.Name]
		switch {
		case !seen:
			at[f.Name] = len(out)
			out = append(out, *f)
		case !older(f.version, out[j].version):
			out[j] = *f
		}
	}
	return out
}

// decide picks the fields that are to be written to a record, given what was
// last written there and, where it was read, what the CRM has now. keyFields
// are always written, as an upsert needs them. ours tells of a value that may
// be there from an attempt whose outcome was never known. held counts values
// left out because a newer one or a person's is there. The memory of fields is
// used again.
func decide(fields []versioned, head store.Head, now *connectors.Record, keyFields map[string]bool, ours func(string, connectors.Value) bool) (write []versioned, held int) {
	write = fields[:0]
	for _, f := range fields {
		last, written := head[f.Name]
		if written && older(f.version, last) && !keyFields[f.Name] {
			held++
			continue
		}
		if now != nil && !keyFields[f.Name] {
			current, there := now.Fields[f.Name]
			there = there && connectors.Canonical(current) != ""
			if f.If == mapping.IfEmpty && there ||
				f.If == mapping.IfChanged && !(written && last.Hash == hash(current)) && (there || written) && !ours(f.Name, current) {
				held++
				continue
			}
		}
		write = append(write, f)
	}
	return write, held
}

// hash identifies a value, whatever type a CRM gives it back as.
func hash(v connectors.Value) uint64 { return connectors.Hash(v) }

// linkKey is the ledger's name of a key.
func linkKey(connector, object string, key connectors.Key) store.LinkKey {
	fields, values := key.Split()
	return store.NewLinkKey(connector, object, fields, values)
}

// attemptKey is the name under which the ledger keeps when it was begun to make
// the record of a key, while it is not known whether it was made.
func attemptKey(k store.LinkKey) store.LinkKey {
	k.Field += " attempted"
	return k
}

// claimKey is the name under which a wave holds a key of a record.
func claimKey(k store.LinkKey) string { return k.Object + "\x00" + k.Field + "\x00" + k.Value }

package deliver

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// older reports whether version a comes before version b: the vendor's time,
// then rank of state, then the order of arrival.
func older(a, b store.FieldHead) bool {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Seq, b.Seq)) < 0
}

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
	at := map[string]int{}
	var out []versioned
	for _, f := range fields {
		i, seen := at[f.Name]
		switch {
		case !seen:
			at[f.Name] = len(out)
			out = append(out, f)
		case !older(f.version, out[i].version):
			out[i] = f
		}
	}
	return out
}

// decide picks the fields that are to be written to a record, given what was
// last written there and, where it was read, what the CRM has now. keyFields
// are always written, as an upsert needs them. ours tells of a value that may
// be there from an attempt whose outcome was never known. held counts values
// left out because a newer one or a person's is there.
func decide(fields []versioned, head store.Head, now *connectors.Record, keyFields map[string]bool, ours func(string, connectors.Value) bool) (write []versioned, held int) {
	for _, f := range fields {
		last, written := head[f.Name]
		if written && older(f.version, last) && !keyFields[f.Name] {
			held++
			continue
		}
		if now != nil && !keyFields[f.Name] {
			current, there := now.Fields[f.Name]
			there = there && canonical(current) != ""
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
func hash(v connectors.Value) uint64 {
	h := fnv.New64a()
	h.Write([]byte(canonical(v)))
	return h.Sum64()
}

// canonical is one spelling for values that mean the same.
func canonical(v connectors.Value) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return strings.TrimSpace(v)
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case event.Seconds:
		return strconv.FormatFloat(float64(v), 'f', -1, 64)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = canonical(x)
		}
		return strings.Join(parts, ";")
	}
	return fmt.Sprint(v)
}

// linkKey is the ledger's name of a key.
func linkKey(connector, object string, key connectors.Key) store.LinkKey {
	names, values := make([]string, len(key)), make([]string, len(key))
	for i, term := range key {
		names[i], values[i] = term.Field, canonical(term.Value)
	}
	return store.LinkKey{Connector: connector, Object: object, Field: strings.Join(names, "+"), Value: strings.Join(values, "\x1f")}
}

// attemptKey is the name under which the ledger keeps when it was begun to make
// the record of a key, while it is not known whether it was made.
func attemptKey(k store.LinkKey) store.LinkKey {
	k.Field += " attempted"
	return k
}

// claimKey is the name under which a wave holds a key of a record.
func claimKey(k store.LinkKey) string { return k.Object + "\x00" + k.Field + "\x00" + k.Value }

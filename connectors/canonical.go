package connectors

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
)

// Hash identifies a value, whatever type a CRM gives it back as.
func Hash(v Value) uint64 {
	h := fnv.New64a()
	h.Write([]byte(Canonical(v)))
	return h.Sum64()
}

// Canonical is one spelling for values that mean the same; "" for none.
func Canonical(v Value) string {
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
			parts[i] = Canonical(x)
		}
		return strings.Join(parts, ";")
	}
	return fmt.Sprint(v)
}

// Split gives a key's fields and the canonical spelling of their values, as a
// ledger knows records by them.
func (k Key) Split() (fields, values []string) {
	fields, values = make([]string, len(k)), make([]string, len(k))
	for i, term := range k {
		fields[i], values[i] = term.Field, Canonical(term.Value)
	}
	return fields, values
}

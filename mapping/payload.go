package mapping

import (
	"fmt"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// Formulas compiles formulas that stand outside rules: those of sources in
// config.yaml, which read a payload as raw, and nothing else. It is safe for
// concurrent use.
type Formulas struct {
	scope scope
}

// NewFormulas takes the country of numbers without country code and the zone
// of times without one (nil: UTC), and tables for table("name", key): keys
// with keys and values below; nil for none.
func NewFormulas(country string, zone *time.Location, tables *diag.Node) (*Formulas, diag.Problems) {
	if zone == nil {
		zone = time.UTC
	}
	f := &Formulas{scope{tables: map[string]*table{}, country: country, zone: zone, rawOnly: true}}
	if tables == nil || tables.Null {
		return f, nil
	}
	if tables.Shape != diag.Mapping {
		return f, diag.Problems{tables.Problem("tables wants a name for each table, not "+tables.Shape.String(), "")}
	}
	var ps diag.Problems
	for _, p := range tables.Pairs {
		t, problems := readTable(p.Key, p.Value)
		ps = append(ps, problems...)
		f.scope.tables[t.name] = t
	}
	return f, ps
}

// accepted is what kinds of values can be made into one of a field's kind.
var accepted = map[event.Kind]kinds{
	event.Text:     kScalar | kList,
	event.Number:   kNumber | kText | kBool,
	event.Time:     kTime | kText | kNumber,
	event.Duration: kDuration | kNumber | kText,
	event.List:     kList | kScalar,
	event.Map:      kMap,
}

// Compile reads a formula, a text with {{ }}, or a plain value, which must be
// able to give a value of that kind. The function that it returns gives nil for
// a missing value; text, int, float64, bool, time.Time, event.Seconds, []any
// and map[string]any otherwise; and an error, without anything of the payload
// in it, where the formula grew over a limit.
func (f *Formulas) Compile(n *diag.Node, want event.Kind) (func(raw any) (any, error), diag.Problems) {
	if n.Shape != diag.Scalar || n.Null {
		return nil, diag.Problems{n.Problem("wants a formula or a value", "write it like =raw.call.id")}
	}
	if path := strings.TrimSpace(n.Value); !n.Quoted && (path == "raw" || strings.HasPrefix(path, "raw.") || strings.HasPrefix(path, "raw[")) {
		return nil, diag.Problems{n.Problem("this is plain text, not the value of "+path, "write ="+path)}
	}
	x, ps := f.scope.field(n, kAny|kObject)
	if ps.Has(diag.Error) {
		return nil, ps
	}
	if k := accepted[want]; !x.kinds.can(k) {
		return nil, append(ps, n.Problem(fmt.Sprintf("this gives %s, and %s is wanted", x.kinds, k), ""))
	}
	return func(raw any) (any, error) {
		e := &env{ev: &event.Event{}, raw: raw, rawGot: true, zone: f.scope.zone, home: connectors.Coercion{Country: f.scope.country}}
		v, fault := x.eval(e)
		if fault != nil {
			return nil, fmt.Errorf("%s: %s", n.At(fault.at), fault.message)
		}
		if !present(v) {
			return nil, nil
		}
		return v, nil
	}, ps
}

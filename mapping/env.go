package mapping

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
)

// Limits of a formula. Model values pass through whole, so the limit of a text
// is above the longest transcript; the work limit bounds what a formula may
// build on its way there.
const (
	// MaxText is the number of bytes that a formula or a text may yield.
	MaxText = 1 << 20
	maxWork = 16 << 20 // bytes of text that one formula may build in all
)

// leaf is a path of the model that holds a value, with its place in an env.
type leaf struct {
	slot  int
	index []int // of the struct fields from event.Event on
}

// leaves holds every leaf of the model by path.
var leaves = sync.OnceValue(func() map[string]leaf {
	all := map[string]leaf{}
	addLeaves(all, reflect.TypeFor[event.Event](), "event.", nil)
	return all
})

func addLeaves(all map[string]leaf, t reflect.Type, prefix string, index []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		at := append(append([]int{}, index...), i)
		switch {
		case name == "-", len(index) == 0 && name == "raw":
		case f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct:
			sub := prefix + name + "."
			if len(index) == 0 {
				sub = name + "."
			}
			addLeaves(all, f.Type.Elem(), sub, at)
		default:
			all[prefix+name] = leaf{slot: len(all), index: at}
		}
	}
}

// read returns the leaf's value as event.Values would.
func (l leaf) read(ev *event.Event) any {
	v := reflect.ValueOf(ev).Elem()
	for _, i := range l.index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return nil
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	if v.Kind() == reflect.String {
		if v.Len() == 0 {
			return nil
		}
		return v.String()
	}
	switch x := v.Interface().(type) {
	case time.Time:
		if x.IsZero() {
			return nil
		}
		return x
	case *event.Seconds:
		if x == nil {
			return nil
		}
		return *x
	case int:
		if x == 0 {
			return nil
		}
		return x
	case []string:
		return listOf(x)
	case map[string]any:
		if len(x) == 0 {
			return nil
		}
		return x
	}
	return nil
}

func listOf(texts []string) any {
	if len(texts) == 0 {
		return nil
	}
	items := make([]any, len(texts))
	for i, s := range texts {
		items[i] = s
	}
	return items
}

// env is what the formulas of one event see. It reads each value of the event
// once, and only if a formula asks for it.
type env struct {
	ev     *event.Event
	slots  []slot
	raw    any
	rawGot bool
	groups map[string]any // the event as maps, once one was asked for
	values []any          // of the fields of the record being planned
	args   []any          // of the functions being called
	zone   *time.Location
	home   connectors.Coercion // reads numbers as a field would
	work   int                 // bytes built by the running formula
	fault  *fault              // of the running formula
	reads  *[]Input            // what the running formula read; nil: not asked for
}

type slot struct {
	value any
	got   bool
}

// fault is why a formula stopped.
type fault struct {
	at      int // character of the node's value
	message string
}

func newEnv(ev *event.Event, zone *time.Location, country string) *env {
	if zone == nil {
		zone = time.UTC
	}
	return &env{ev: ev, slots: make([]slot, len(leaves())), zone: zone, home: connectors.Coercion{Country: country}}
}

func (e *env) leaf(l leaf) any {
	s := &e.slots[l.slot]
	if !s.got {
		s.value, s.got = l.read(e.ev), true
	}
	return s.value
}

func (e *env) rawValue() any {
	if !e.rawGot {
		e.raw, e.rawGot = e.ev.RawValue(), true
	}
	return e.raw
}

// object returns a part of the model as a map, for json().
func (e *env) object(path string) any {
	if e.groups == nil {
		e.groups = e.ev.Values()
	}
	var v any = e.groups
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	if v == nil {
		return nil
	}
	return v
}

func (e *env) note(path string, v any) {
	if e.reads == nil {
		return
	}
	for _, r := range *e.reads {
		if r.Path == path {
			return
		}
	}
	*e.reads = append(*e.reads, Input{Path: path, Value: v})
}

// noteWhole notes that a group of values was read; they would be too many to show.
func (e *env) noteWhole(path string, v any) any {
	if v == nil {
		e.note(path, nil)
	} else {
		e.note(path, "…")
	}
	return v
}

// built accounts for a text that a formula made and stops the formula where it
// makes too much.
func (e *env) built(s string, at int) any {
	if !e.room(len(s), at) {
		return nil
	}
	return s
}

// room reports whether n more bytes may be built.
func (e *env) room(n, at int) bool {
	if n > MaxText {
		e.fail(at, fmt.Sprintf("the text would be longer than %d KiB", MaxText>>10))
		return false
	}
	e.work += n
	if e.work > maxWork {
		e.fail(at, fmt.Sprintf("the formula builds more than %d MiB of text", maxWork>>20))
		return false
	}
	return e.fault == nil
}

func (e *env) fail(at int, message string) {
	if e.fault == nil {
		e.fault = &fault{at, message}
	}
}

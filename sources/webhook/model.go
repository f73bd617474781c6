package webhook

import (
	"reflect"
	"strings"
	"sync"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// field is a path of the common model with what fills it.
type field struct {
	path  string
	kind  event.Kind // of a value within named values: text
	key   string     // name within named values, such as interest of call.outcome.interest
	index []int      // of the struct fields from event.Event on
	value formula
}

// leaves are the fields that settings can fill, by path. Those of the event
// itself have settings of their own.
var leaves = sync.OnceValue(func() map[string]field {
	all := map[string]field{}
	kinds := map[string]event.Kind{}
	var walk func([]event.Field)
	walk = func(fields []event.Field) {
		for _, f := range fields {
			kinds[f.Path] = f.Kind
			walk(f.Fields)
		}
	}
	walk(event.Model())
	var index func(t reflect.Type, prefix string, at []int)
	index = func(t reflect.Type, prefix string, at []int) {
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			path := prefix + name
			here := append(append([]int{}, at...), f.Index...)
			if f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct {
				index(f.Type.Elem(), path+".", here)
			} else if prefix != "" {
				all[path] = field{path: path, kind: kinds[path], index: here}
			}
		}
	}
	index(reflect.TypeFor[event.Event](), "", nil)
	return all
})

// fieldOf finds a path; the hint says what may have been meant.
func fieldOf(path string) (f field, hint string, ok bool) {
	if f, ok := leaves()[path]; ok {
		return f, "", true
	}
	if i := strings.LastIndex(path, "."); i > 0 && i < len(path)-1 {
		if f, ok := leaves()[path[:i]]; ok && f.kind == event.Map {
			f.path, f.kind, f.key = path, event.Text, path[i+1:]
			return f, "", true
		}
	}
	var all []string
	for _, f := range event.Model() {
		all = appendPaths(all, f)
	}
	switch {
	case strings.HasPrefix(path, "event."):
		return f, "the event's own values have settings of their own: event, occurred_at, delivery_id", false
	case strings.HasPrefix(path, "raw"):
		return f, "on the left stands a path of the model, such as call.id, on the right the formula", false
	}
	if hint = diag.DidYouMean(path, all); hint == "" {
		hint = "paths begin with call, contact, conversation or message; docs/mapping.md lists them"
	}
	return f, hint, false
}

func appendPaths(all []string, f event.Field) []string {
	if f.Path == "event" || f.Kind == event.Any {
		return all
	}
	if f.Kind != event.Object {
		return append(all, f.Path)
	}
	for _, sub := range f.Fields {
		all = appendPaths(all, sub)
	}
	return all
}

// set puts a value into the event, whose parts are made where they are missing.
func (f *field) set(e *event.Event, v reflect.Value) {
	at := reflect.ValueOf(e).Elem()
	for _, i := range f.index {
		if at.Kind() == reflect.Pointer {
			if at.IsNil() {
				at.Set(reflect.New(at.Type().Elem()))
			}
			at = at.Elem()
		}
		at = at.Field(i)
	}
	if f.key == "" {
		at.Set(v)
		return
	}
	if at.IsNil() {
		at.Set(reflect.MakeMap(at.Type()))
	}
	at.SetMapIndex(reflect.ValueOf(f.key), v)
}

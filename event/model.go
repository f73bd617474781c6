package event

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// Kind is the kind of value that a field of the model holds.
type Kind string

// The kinds of values. Map is a map of plain values with names that the
// customer chose; Any is the raw payload.
const (
	Text     Kind = "text"
	Number   Kind = "number"
	Time     Kind = "time"
	Duration Kind = "duration"
	List     Kind = "list"
	Map      Kind = "map"
	Any      Kind = "any"
	Object   Kind = "object"
)

// Field describes one field of the model as formulas read it.
type Field struct {
	Name   string  // last part of the path
	Path   string  // whole path, such as call.agent.email
	Kind   Kind    //
	Doc    string  // one line of help
	Fields []Field // of an Object, in order
}

// Model returns the tree of everything a formula can read: event, call,
// contact, conversation, message and raw. It is built from the types of this
// package, so that documents and checks made from it cannot rot.
func Model() []Field {
	var top []Field
	ev := Field{Name: "event", Path: "event", Kind: Object, Doc: "the event itself"}
	for f := range reflect.TypeFor[Event]().Fields() {
		name := jsonName(f)
		switch {
		case name == "raw" || name == "-":
		case f.Type.Kind() == reflect.Pointer:
			top = append(top, describe(f, name, ""))
		default:
			ev.Fields = append(ev.Fields, describe(f, name, "event."))
		}
	}
	top = append([]Field{ev}, top...)
	return append(top, Field{Name: "raw", Path: "raw", Kind: Any, Doc: "the payload as received"})
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func describe(f reflect.StructField, name, prefix string) Field {
	d := Field{Name: name, Path: prefix + name, Doc: f.Tag.Get("doc")}
	t := f.Type
	switch {
	case t == reflect.TypeFor[time.Time]():
		d.Kind = Time
	case t == reflect.TypeFor[*Seconds]():
		d.Kind = Duration
	case t.Kind() == reflect.Pointer:
		d.Kind = Object
		for sub := range t.Elem().Fields() {
			d.Fields = append(d.Fields, describe(sub, jsonName(sub), d.Path+"."))
		}
	case t.Kind() == reflect.String:
		d.Kind = Text
	case t.Kind() == reflect.Int:
		d.Kind = Number
	case t.Kind() == reflect.Slice:
		d.Kind = List
	case t.Kind() == reflect.Map:
		d.Kind = Map
	}
	return d
}

// Values returns the event as formulas read it: nested maps by the model's
// names, in which what is not known is absent. Times are time.Time, durations
// Seconds, lists []any, numbers int or float64. The raw payload is not among
// them; see RawValue.
func (e *Event) Values() map[string]any {
	v := map[string]any{"event": clean(map[string]any{
		"id": text(e.ID), "type": text(string(e.Type)), "source": text(e.Source), "vendor": text(e.Vendor),
		"occurred_at": instant(e.OccurredAt), "received_at": instant(e.ReceivedAt), "origin": text(string(e.Origin)),
	})}
	if c := e.Call; c != nil {
		v["call"] = clean(map[string]any{
			"id": text(c.ID), "status": text(c.Status), "direction": text(c.Direction), "from": text(c.From), "to": text(c.To),
			"started_at": instant(c.StartedAt), "answered_at": instant(c.AnsweredAt), "ended_at": instant(c.EndedAt),
			"duration": seconds(c.Duration), "attempt": count(c.Attempt), "reason": text(c.Reason),
			"summary": text(c.Summary), "headline": text(c.Headline), "transcript": text(c.Transcript),
			"recording_url": text(c.RecordingURL), "appointment_at": instant(c.AppointmentAt),
			"topics": list(c.Topics), "action_items": list(c.ActionItems),
			"outcome": plain(c.Outcome), "analysis": plain(c.Analysis), "collected": plain(c.Collected), "answers": plain(c.Answers),
			"merged_id": text(c.MergedID), "transfer": text(c.Transfer), "agent": person(c.Agent),
		})
	}
	if c := e.Contact; c != nil {
		v["contact"] = clean(map[string]any{
			"id": text(c.ID), "external_id": text(c.ExternalID), "first_name": text(c.FirstName), "last_name": text(c.LastName),
			"full_name": text(c.FullName), "email": text(c.Email), "phone": text(c.Phone), "company": text(c.Company),
			"language": text(c.Language), "timezone": text(c.Timezone), "status": text(c.Status),
			"status_changed_at": instant(c.StatusChangedAt), "reached_at": instant(c.ReachedAt), "lifecycle": text(c.Lifecycle),
			"tags": list(c.Tags), "owner": person(c.Owner), "details": plain(c.Details),
		})
	}
	if c := e.Conversation; c != nil {
		v["conversation"] = clean(map[string]any{
			"id": text(c.ID), "status": text(c.Status), "channel": text(c.Channel), "category": text(c.Category),
			"summary": text(c.Summary), "opened_at": instant(c.OpenedAt), "closed_at": instant(c.ClosedAt), "assignee": person(c.Assignee),
		})
	}
	if m := e.Message; m != nil {
		v["message"] = clean(map[string]any{
			"id": text(m.ID), "direction": text(m.Direction), "type": text(m.Type), "text": text(m.Text),
			"channel": text(m.Channel), "sent_at": instant(m.SentAt),
		})
	}
	return v
}

// RawValue decodes the raw payload for formulas. Whole numbers that fit become
// int, others float64, and digits that neither holds exactly stay text.
func (e *Event) RawValue() any {
	return Decode(e.Raw)
}

// Decode reads JSON into plain values as RawValue describes; nil if it is not JSON.
func Decode(raw json.RawMessage) any {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil
	}
	return Plain(v)
}

// Plain replaces every json.Number within v by int, float64 or text.
func Plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return int(i)
		}
		f, err := v.Float64()
		if err != nil || !strings.ContainsAny(v.String(), ".eE") {
			return v.String()
		}
		return f
	case map[string]any:
		for k, x := range v {
			v[k] = Plain(x)
		}
	case []any:
		for i, x := range v {
			v[i] = Plain(x)
		}
	}
	return v
}

func clean(m map[string]any) map[string]any {
	for k, v := range m {
		if v == nil {
			delete(m, k)
		}
	}
	return m
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func instant(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

func seconds(s *Seconds) any {
	if s == nil {
		return nil
	}
	return *s
}

func count(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

func list(items []string) any {
	if len(items) == 0 {
		return nil
	}
	out := make([]any, len(items))
	for i, s := range items {
		out[i] = s
	}
	return out
}

func plain(m map[string]any) any {
	if len(m) == 0 {
		return nil
	}
	return m
}

func person(p *Person) any {
	if p == nil {
		return nil
	}
	return clean(map[string]any{"id": text(p.ID), "name": text(p.Name), "email": text(p.Email), "number": text(p.Number)})
}

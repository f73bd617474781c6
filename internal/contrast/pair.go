package contrast

import (
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// pair is one event by both mappings.
type pair struct {
	c             *Contrast
	event         *event.Event
	before, after []mapping.Explanation
	shown         [2][]mapping.Explanation // the same, masked if it is to be
	differs       bool
}

// note counts a difference. Before and after are for people.
func (e *pair) note(at place, before, after any) {
	e.differs = true
	g := e.c.groups[at]
	if g == nil {
		g = &Group{Connector: at.connector, Rule: at.rule, Was: e.c.renamed[at.rule], Object: at.object, Field: at.field, What: at.what, Event: e.event.ID, Before: before, After: after}
		e.c.groups[at] = g
	}
	g.Events++
}

// rule compares what comes of a rule; -1 is none.
func (e *pair) rule(old, now int) {
	var was, is mapping.Explanation
	if old >= 0 {
		was = e.before[old]
	}
	if now >= 0 {
		is = e.after[now]
	} else {
		is = mapping.Explanation{Rule: was.Rule, Connector: was.Connector, Why: "the rule is no more"}
	}
	at := place{connector: is.Connector, rule: is.Rule}
	with := func(what string) place { at.what = what; return at }
	switch {
	case is.Matched && !was.Matched:
		e.note(with(Matches), was.Why, nil)
		return
	case was.Matched && !is.Matched:
		e.note(with(NoMatch), nil, is.Why)
		return
	case !is.Matched:
		return
	}
	if was.Shadow != is.Shadow {
		e.note(with(Mode), mode(was), mode(is))
	}
	if was.Error != is.Error {
		e.note(with(Error), said(was.Error), said(is.Error))
	}
	for i, rec := range is.Records {
		at := at
		at.object = rec.As
		j := slices.IndexFunc(was.Records, func(r mapping.ExplainedRecord) bool { return r.As == rec.As })
		if j < 0 {
			at.what = Written
			e.note(at, nil, rec.Object)
			continue
		}
		e.record(at, was.Records[j], rec, e.shown[0][old].Records[j], e.shown[1][now].Records[i])
	}
	for _, rec := range was.Records {
		if !slices.ContainsFunc(is.Records, func(r mapping.ExplainedRecord) bool { return r.As == rec.As }) {
			e.note(place{is.Connector, is.Rule, rec.As, "", Unwritten}, rec.Object, nil)
		}
	}
}

// record compares two records. The last two are the same to be shown.
func (e *pair) record(at place, was, is, shownWas, shownIs mapping.ExplainedRecord) {
	note := func(what string, before, after any) {
		at.field, at.what = "", what
		e.note(at, before, after)
	}
	switch {
	case was.Skip == "" && is.Skip != "":
		note(Unwritten, nil, is.Skip)
		return
	case was.Skip != "" && is.Skip == "":
		note(Written, was.Skip, nil)
		return
	case is.Skip != "":
		return
	}
	if was.Object != is.Object {
		note(Written, was.Object, is.Object)
	}
	if !slices.Equal(was.Match, is.Match) {
		note(FoundBy, said(strings.Join(shownWas.Match, ", else ")), said(strings.Join(shownIs.Match, ", else ")))
	}
	if was.Create != is.Create || was.OnMany != is.OnMany {
		note(Making, making(was), making(is))
	}
	if a, b := links(was), links(is); a != b {
		note(Links, said(a), said(b))
	}
	for i, f := range is.Fields {
		at.field = f.Name
		j := slices.IndexFunc(was.Fields, func(o mapping.ExplainedField) bool { return o.Name == f.Name })
		if j < 0 {
			j = len(was.Fields)
			was.Fields = append(slices.Clip(was.Fields), mapping.ExplainedField{Name: f.Name})
			shownWas.Fields = append(slices.Clip(shownWas.Fields), mapping.ExplainedField{Name: f.Name})
		}
		e.field(at, was.Fields[j], f, shownWas.Fields[j].Value, shownIs.Fields[i].Value)
	}
	for j, f := range was.Fields {
		if !slices.ContainsFunc(is.Fields, func(o mapping.ExplainedField) bool { return o.Name == f.Name }) {
			at.field = f.Name
			e.field(at, f, mapping.ExplainedField{Name: f.Name}, shownWas.Fields[j].Value, nil)
		}
	}
}

func (e *pair) field(at place, was, is mapping.ExplainedField, before, after any) {
	switch {
	case was.Written && !is.Written:
		at.what = Unwritten
	case is.Written && !was.Written:
		at.what = Written
	case !is.Written:
		return
	case text(was.Value) != text(is.Value):
		at.what = Value
	case was.If != is.If:
		at.what, before, after = Condition, was.If, is.If
	default:
		return
	}
	e.note(at, before, after)
}

// said is a text, or nothing.
func said(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func mode(x mapping.Explanation) string {
	if x.Shadow {
		return "shadow"
	}
	return "live"
}

func making(rec mapping.ExplainedRecord) string {
	s := string(rec.Create)
	if rec.OnMany != "" {
		s += ", on_many " + string(rec.OnMany)
	}
	return s
}

func links(rec mapping.ExplainedRecord) string {
	var out []string
	for _, l := range rec.Links {
		if !l.Dropped {
			out = append(out, strings.TrimSpace(l.To+" "+l.Field+" "+l.Type))
		}
	}
	return strings.Join(out, ", ")
}

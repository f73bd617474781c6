package live

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// Check compares what rules write with the accounts' own fields. Errors are
// what every such delivery would fail by; warnings are what only some would, or
// what may make a record stand twice. An account that cannot be asked is one
// error, at its settings.
func Check(ctx context.Context, writes []mapping.Write, accounts []Account) diag.Problems {
	return gather(surveys(ctx, writes, accounts, func(ctx context.Context, s *survey) {
		for _, w := range s.writes {
			s.write(ctx, w)
		}
	}))
}

func (s *survey) write(ctx context.Context, w mapping.Write) {
	o, ok := s.schema[w.Object]
	if s.unread[w.Object] {
		return
	}
	if !ok {
		if _, err := s.crm.CheckField(ctx, w.Object, connectors.ID); s.refused(err) {
			s.add(w.At.Problem(fmt.Sprintf("the account of %s has no object %q", s.Name, w.Object), s.nearObject(ctx, w.Object, err)))
		}
		return
	}
	found := map[string]connectors.Field{}
	for _, f := range w.Fields {
		if f.Name == connectors.ID {
			continue
		}
		if field, ok := s.find(ctx, o, f); ok {
			found[f.Name] = field
			s.values(ctx, o, field, f)
		}
	}
	s.match(ctx, o, w, found)
	for _, l := range w.Links {
		if _, ok := s.schema[l.Object]; !ok {
			continue // told at that record
		}
		err := s.crm.CheckLink(ctx, w.Object, connectors.Link{Object: l.Object, Field: l.Field, Type: l.Type})
		if s.refused(err) {
			hint := ""
			if _, there := o.Field(l.Field); !there {
				if _, err := s.crm.CheckField(ctx, o.Name, l.Field); l.Field == "" || err == nil || err.Code != connectors.CodeHidden {
					hint = s.offer(o.Name, linkField(l))
				}
			}
			s.add(l.At.Problem(fmt.Sprintf("%s cannot be linked to %s so: %s", w.Object, l.Object, err.Message), hint))
		}
	}
}

// find finds a field that is to be written.
func (s *survey) find(ctx context.Context, o connectors.Object, f mapping.WrittenField) (connectors.Field, bool) {
	field, err := s.crm.CheckField(ctx, o.Name, f.Name)
	switch {
	case err == nil && field.ReadOnly:
		s.add(f.At.Problem(fmt.Sprintf("%s of %s cannot be written: the CRM sets it itself, or crmsyncd's user may not", f.Name, o.Name), "leave it out"))
		return field, false
	case err == nil:
		return field, true
	case !s.refused(err):
		return field, false
	case several(err), err.Code == connectors.CodeHidden:
		s.add(f.At.Problem(err.Message, ""))
		return field, false
	}
	hint := nearField(f.Name, o)
	switch offer := s.offer(o.Name, wanted(f.Name, []mapping.WrittenField{f}, false)); {
	case hint == "" && offer == "":
		hint = "correct the name, or make the field in the CRM"
	case hint == "":
		hint = offer
	case offer != "":
		hint += " else: " + offer
	}
	s.add(f.At.Problem(fmt.Sprintf("%s of %s has no field %q", o.Name, s.Name, f.Name), hint))
	return field, false
}

// several tells that a name fits more than one field.
func several(err *connectors.Error) bool { return err.Code == "SEVERAL_FIELDS" }

// offer names the command that makes the field, if it can.
func (s *survey) offer(object string, f connectors.Field) string {
	p, ok := s.Connector.(connectors.Provisioner)
	if !ok || f.Name == "" {
		return ""
	}
	if _, manual := p.Propose(object, f); manual != "" {
		return manual
	}
	return "crmsyncd provision --connector " + s.Name + " makes it"
}

// match looks at what records are found by.
func (s *survey) match(ctx context.Context, o connectors.Object, w mapping.Write, found map[string]connectors.Field) {
	unique, whole := false, true
	for _, alternative := range w.Match {
		var fields []connectors.Field
		byID := false
		for _, m := range alternative {
			f, ok := found[m.Name]
			switch {
			case m.Name == connectors.ID:
				byID = true
			case ok:
				fields = append(fields, f)
			default:
				whole = false
			}
		}
		if byID || len(fields) < len(alternative) {
			continue
		}
		if err := s.crm.CheckKey(ctx, o.Name, fields); s.refused(err) {
			s.add(alternative[0].At.Problem(fmt.Sprintf("%s cannot be found by %s: %s", o.Name, names(alternative), err.Message), ""))
			whole = false
			continue
		}
		unique = unique || len(fields) == 1 && kept(fields[0])
	}
	if !whole || unique || len(w.Match) == 0 || w.Create == mapping.CreateNever || !slices.ContainsFunc(fieldsOf(o), kept) {
		return
	}
	p := w.Match[0][0].At.Problem(
		fmt.Sprintf("%s may stand twice: none of its match fields is one that the CRM itself keeps unique", o.Name),
		"two programs that write at the same moment make a record each; match first by a text field for the sender's id, unique where the CRM has such")
	p.Severity = diag.Warning
	s.add(p)
}

// kept tells fields by which the CRM itself keeps a record from standing twice.
func kept(f connectors.Field) bool { return f.Unique || f.Upsert }

func fieldsOf(o connectors.Object) []connectors.Field {
	out := make([]connectors.Field, 0, len(o.Fields))
	for _, f := range o.Fields {
		out = append(out, f)
	}
	return out
}

func names(fields []mapping.MatchField) string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.Name
	}
	return strings.Join(out, " with ")
}

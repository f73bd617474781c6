package live

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// samples are values of each kind; a field takes the kind if it takes one of
// them. Whether a text is right only its words tell, so there are none.
var samples = map[mapping.Kind][]connectors.Value{
	mapping.KindNumber:   {1, 1_795_167_012},
	mapping.KindBool:     {true},
	mapping.KindTime:     {time.Date(2026, 11, 20, 9, 30, 12, 0, time.UTC)},
	mapping.KindDuration: {event.Seconds(120)},
	mapping.KindList:     {[]any{"a"}, []any{"1"}, []any{"a@example.com"}},
}

// mends are hints for values of a kind that a field does not take.
var mends = map[mapping.Kind]string{
	mapping.KindBool: `write =condition ? "yes" : "no", or numbers`,
	mapping.KindTime: "choose a field that holds times",
	mapping.KindList: "write first(…) or join(…)",
}

// values tells whether a field takes what a rule gives it.
func (s *survey) values(ctx context.Context, o connectors.Object, field connectors.Field, f mapping.WrittenField) {
	if s.kinds(ctx, o, field, f) {
		return
	}
	var never []mapping.KnownValue // words of a path
	words := 0
	for _, v := range f.Values {
		err := s.crm.CheckValue(ctx, o.Name, field, v.Value)
		if err != nil && err.Kind == connectors.Auth {
			own := *err
			own.Message += ", which a value of " + f.Name + " takes"
			err = &own
		}
		if v.Path != "" {
			words++
		}
		switch {
		case !s.refused(err):
		case v.Path != "" && field.Options != nil:
			never = append(never, v)
		default:
			s.add(v.At.Problem(s.wrong(o, field, f.Name, v, err)))
		}
	}
	if len(never) > 0 {
		s.add(missingWords(o, field, f, never, len(never) == words && f.Closed))
	}
}

// kinds looks for kinds of values that the field never takes.
func (s *survey) kinds(ctx context.Context, o connectors.Object, field connectors.Field, f mapping.WrittenField) (bad bool) {
	var worst *connectors.Error
	var kind mapping.Kind
	for _, k := range f.Kinds {
		err := s.takes(ctx, o, field, k)
		if err == nil {
			return false
		}
		worst, kind = err, k
	}
	if worst == nil || f.Closed && kind != mapping.KindList {
		return false // each of its values is looked at
	}
	message := worst.Message
	if !strings.HasPrefix(message, "is ") {
		message = "is " + string(kind) + ": " + message
	}
	s.add(f.Value.Problem(fmt.Sprintf("the value of %s %s", f.Name, message), mends[kind]))
	return true
}

// takes tells whether a field takes values of a kind, as far as their kind
// decides about it.
func (s *survey) takes(ctx context.Context, o connectors.Object, field connectors.Field, k mapping.Kind) (err *connectors.Error) {
	for _, v := range samples[k] {
		if err = s.crm.CheckValue(ctx, o.Name, field, v); err == nil || err.Code != connectors.CodeValue {
			return nil
		}
	}
	return err
}

// wrong says of a value of the file why the field does not take it. The value
// is the file's own, so it may be shown.
func (s *survey) wrong(o connectors.Object, field connectors.Field, name string, v mapping.KnownValue, err *connectors.Error) (message, hint string) {
	text, _ := connectors.AsText(v.Value, time.UTC)
	if field.Options == nil || err.Code == connectors.CodeValue {
		if what, is := strings.CutPrefix(err.Message, "is "); is {
			return fmt.Sprintf("%s of %s is given %s", name, o.Name, what), ""
		}
		return fmt.Sprintf("%s of %s: %s", name, o.Name, err.Message), ""
	}
	message = fmt.Sprintf("%q is no option of %s of %s", text, name, o.Name)
	if v.Table != "" {
		message += ", which has values of the table " + v.Table
	}
	return message, nearOption(text, field.Options)
}

// missingWords warns of words that an event may bring and the field does not
// have.
func missingWords(o connectors.Object, field connectors.Field, f mapping.WrittenField, never []mapping.KnownValue, all bool) diag.Problem {
	var words []string
	for _, v := range never[:min(len(never), mostNamed)] {
		text, _ := connectors.AsText(v.Value, time.UTC)
		words = append(words, text)
	}
	p := f.Value.Problem(fmt.Sprintf("%s can be %s, for which %s of %s has no option", never[0].Path, strings.Join(words, ", "), f.Name, o.Name),
		"a delivery with it would be dead; add options in the CRM, or choose by a table: "+optionList(field.Options))
	if !all {
		p.Severity = diag.Warning
	}
	return p
}

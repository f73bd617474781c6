package live

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// Missing is a field that rules write and an account does not have.
type Missing struct {
	Account Account
	Object  string
	Field   connectors.Field // as it would be made; no name: the object itself is missing
	Manual  string           // why crmsyncd cannot make it, and what a person does; "" if it can
	At      mapping.Place    // where it is written first
}

// Find lists what is missing, in the order of the file. The problems are those
// of accounts that could not be asked.
func Find(ctx context.Context, writes []mapping.Write, accounts []Account) ([]Missing, diag.Problems) {
	var mu sync.Mutex
	found := map[string][]Missing{}
	all := surveys(ctx, writes, accounts, func(ctx context.Context, s *survey) {
		missing := s.missing(ctx)
		mu.Lock()
		defer mu.Unlock()
		found[s.Name] = missing
	})
	var out []Missing
	for _, s := range all {
		out = append(out, found[s.Name]...)
	}
	return out, gather(all)
}

// Create makes a field that Find lists. For as long as patience lasts it waits
// where the account asks for it, and after a lost answer looks whether the field
// is there before it asks again: some CRMs take a second one of the same name.
func (m Missing) Create(ctx context.Context) error {
	p, ok := m.Account.Connector.(connectors.Provisioner)
	if !ok {
		return &connectors.Error{Kind: connectors.Invalid, Message: m.Manual}
	}
	ctx, done := context.WithTimeout(ctx, patience)
	defer done()
	for wait, lost := firstPause, false; ; wait *= 2 {
		err := connectors.AsError(p.CreateField(ctx, m.Object, m.Field))
		if err == nil || lost && err.Kind == connectors.Conflict && m.there(ctx) {
			return nil
		}
		if err.Kind != connectors.Transient && err.Kind != connectors.RateLimited && err.Kind != connectors.Unknown || err.Park {
			return err
		}
		if !pause(ctx, max(err.Wait, wait)) {
			return err
		}
		if lost = lost || err.Kind != connectors.RateLimited; lost && m.there(ctx) {
			return nil
		}
	}
}

// there tells whether the account shows the field.
func (m Missing) there(ctx context.Context) bool {
	c, ok := m.Account.Connector.(connectors.Checker)
	if !ok {
		return false
	}
	_, err := c.CheckField(ctx, m.Object, m.Field.Name)
	return err == nil
}

// firstPause is before the second try at a field, where the account says nothing.
const firstPause = time.Second

// want is one missing field with every rule's use of it.
type want struct {
	object string
	name   string
	uses   []mapping.WrittenField
	key    bool // the first match field of a record
	link   connectors.Field
	manual string
	at     mapping.Place
}

func (s *survey) missing(ctx context.Context) []Missing {
	var wants []*want
	get := func(object, name string, at mapping.Place) *want {
		for _, w := range wants {
			if w.object == object && w.name == name {
				return w
			}
		}
		wants = append(wants, &want{object: object, name: name, at: at})
		return wants[len(wants)-1]
	}
	lacks := func(object, name string) (lacking bool, manual string) {
		_, err := s.crm.CheckField(ctx, object, name)
		if !s.refused(err) || several(err) {
			return false, ""
		}
		if err.Code == connectors.CodeHidden {
			manual = err.Message
		}
		return true, manual
	}
	for _, w := range s.writes {
		if s.unread[w.Object] {
			continue
		}
		if _, ok := s.schema[w.Object]; !ok {
			if _, err := s.crm.CheckField(ctx, w.Object, connectors.ID); s.refused(err) {
				get(w.Object, "", w.At).manual = err.Message + "; make it in the CRM, or correct the name"
			}
			continue
		}
		key := keyOf(w)
		for _, f := range w.Fields {
			if f.Name == connectors.ID {
				continue
			}
			if lacking, manual := lacks(w.Object, f.Name); lacking {
				missing := get(w.Object, f.Name, f.At)
				missing.manual = manual
				missing.uses = append(missing.uses, f)
				missing.key = missing.key || f.Name == key
			}
		}
		for _, l := range w.Links {
			f := linkField(l)
			if f.Name == "" || s.schema[l.Object].Name == "" {
				continue
			}
			if lacking, manual := lacks(w.Object, f.Name); lacking {
				missing := get(w.Object, f.Name, l.At)
				missing.link, missing.manual = f, manual
			}
		}
	}
	out := make([]Missing, len(wants))
	for i, w := range wants {
		out[i] = s.proposed(w)
	}
	return out
}

func (s *survey) proposed(w *want) Missing {
	m := Missing{Account: s.Account, Object: w.object, Manual: w.manual, At: w.at}
	switch {
	case w.name == "":
		return m
	case w.link.Name != "":
		m.Field = w.link
	default:
		m.Field = wanted(w.name, w.uses, w.key)
	}
	p, ok := s.Connector.(connectors.Provisioner)
	switch {
	case w.manual != "":
		return m
	case !ok:
		m.Manual = "crmsyncd makes no fields in this CRM; make it there"
		return m
	}
	m.Field, m.Manual = p.Propose(w.object, m.Field)
	return m
}

// keyOf is the match field that tells a record best: the first, if it stands
// alone.
func keyOf(w mapping.Write) string {
	for _, alternative := range w.Match {
		if alternative[0].Name == connectors.ID {
			continue
		}
		if len(alternative) == 1 {
			return alternative[0].Name
		}
		return ""
	}
	return ""
}

func linkField(l mapping.WrittenLink) connectors.Field {
	return connectors.Field{Name: l.Field, Label: l.Field, Type: connectors.Reference, Target: l.Object}
}

// wanted is the field that would take all that the rules give it. The first
// match field is text that the CRM keeps unique, where it does.
func wanted(name string, uses []mapping.WrittenField, key bool) connectors.Field {
	f := connectors.Field{Name: name, Label: label(name), Type: connectors.Text}
	if key {
		f.Unique = true
		return f
	}
	var kinds []mapping.Kind
	var values []mapping.KnownValue
	closed, chosen, long := true, false, false
	path := uses[0].Path
	for _, u := range uses {
		kinds = append(kinds, u.Kinds...)
		values = append(values, u.Values...)
		closed, long = closed && u.Closed, long || u.Long
		chosen = chosen || slices.ContainsFunc(u.Values, func(v mapping.KnownValue) bool { return v.Table != "" || v.Path != "" })
		if u.Path != path {
			path = ""
		}
	}
	slices.Sort(kinds)
	kinds = slices.Compact(kinds)
	only := func(list ...mapping.Kind) bool {
		return len(kinds) > 0 && !slices.ContainsFunc(kinds, func(k mapping.Kind) bool { return !slices.Contains(list, k) })
	}
	options := optionsOf(values)
	switch {
	case only(mapping.KindList) && len(options) > 1 && closed:
		f.Type, f.Options = connectors.MultiSelect, options
	case only(mapping.KindTime):
		f.Type = connectors.DateTime
	case only(mapping.KindDuration):
		f.Type, f.Unit = connectors.Duration, "s"
	case only(mapping.KindNumber, mapping.KindDuration):
		f.Type = connectors.Number
	case only(mapping.KindBool):
		f.Type = connectors.Boolean
	case closed && len(options) > 1 && (chosen || !plain(uses)):
		f.Type, f.Options = connectors.Select, options
	case long, only(mapping.KindList), only(mapping.KindMap):
		f.Type = connectors.LongText
	default:
		f.Type = byPath(path)
	}
	return f
}

// plain tells fields that every rule gives one written-out text.
func plain(uses []mapping.WrittenField) bool {
	return !slices.ContainsFunc(uses, func(u mapping.WrittenField) bool { return len(u.Values) != 1 })
}

// byPath is the type of text that a path of the model holds.
func byPath(path string) connectors.FieldType {
	last := path[strings.LastIndexByte(path, '.')+1:]
	switch last {
	case "email":
		return connectors.Email
	case "phone", "from", "to":
		return connectors.Phone
	case "recording_url":
		return connectors.URL
	case "summary", "transcript":
		return connectors.LongText
	}
	return connectors.Text
}

func optionsOf(values []mapping.KnownValue) []connectors.Option {
	var out []connectors.Option
	for _, v := range values {
		text, _ := connectors.AsText(v.Value, time.UTC)
		text = strings.TrimSpace(text)
		if text != "" && !slices.ContainsFunc(out, func(o connectors.Option) bool { return strings.EqualFold(o.Value, text) }) {
			out = append(out, connectors.Option{Value: text, Label: label(text)})
		}
	}
	return out
}

// label is what people see: a name that programs use with blanks and a capital
// letter, any other as it is.
func label(name string) string {
	base := strings.TrimSuffix(name, "__c")
	if strings.ContainsAny(base, " -") || base == "" {
		return name
	}
	words := []rune(strings.TrimSpace(strings.ReplaceAll(base, "_", " ")))
	if len(words) == 0 {
		return name
	}
	words[0] = unicode.ToUpper(words[0])
	return string(words)
}

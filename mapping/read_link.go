package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

func (r *reader) links(u *rule, rec *record, n *diag.Node) {
	items := n.Items
	if n.Shape != diag.Sequence {
		items = []*diag.Node{n}
	}
	for _, item := range items {
		name := item
		l := link{node: item}
		if item.Shape == diag.Mapping {
			if name = item.Get("to"); name != nil {
				r.mapping(item, linkKeys, "a link")
			}
			if name == nil || name.Shape != diag.Scalar {
				r.lacksTo(item)
				continue
			}
			l.field, l.label = r.word(item.Get("field"), "field"), r.word(item.Get("type"), "type")
		}
		word := r.word(name, "link")
		if word == "" {
			r.bad(item, "link has an empty name", "")
			continue
		}
		to, ok := r.linkTarget(u, rec, name, word)
		if !ok {
			continue
		}
		l.to = to
		if slices.ContainsFunc(rec.links, func(o link) bool { return o.to == l.to && o.field == l.field && o.label == l.label }) {
			r.bad(item, fmt.Sprintf("the link to %q stands here twice", word), "leave one out")
			continue
		}
		rec.links = append(rec.links, l)
	}
}

// lacksTo reports a link that does not say to which record.
func (r *reader) lacksTo(item *diag.Node) {
	hint := "write {to: contacts, field: …} or {to: contacts, type: …}"
	for _, p := range item.Pairs {
		if p.Value.Shape != diag.Scalar {
			continue
		}
		switch key := p.Key.Value; {
		case strings.HasSuffix(unknownKey(p.Key, linkKeys).Hint, " to?"):
			hint = "write {to: " + p.Value.Value + "}"
		case len(item.Pairs) == 1 && slices.Contains([]string{"type", "field"}, key) && !strings.HasPrefix(column(item.File.Line(item.Line), item.Column), "{"):
			hint = fmt.Sprintf("put it within { }: {to: …, %s: %s}", key, p.Value.Value)
		case len(item.Pairs) == 1 && !slices.Contains(linkKeys, key):
			hint = "write {to: " + key + ", type: " + p.Value.Value + "}"
		}
	}
	r.bad(item, "the link lacks to:", hint)
}

// linkTarget finds the record that a link names: by as, else by object. Only
// earlier records have an id by the time this one is written.
func (r *reader) linkTarget(u *rule, rec *record, n *diag.Node, word string) (int, bool) {
	var named, objects []int
	var known []string
	for i, other := range u.records {
		if other.as != "" {
			known = append(known, other.as)
		}
		if other.as == word {
			named = append(named, i)
		}
		if other.object == word {
			objects = append(objects, i)
		}
	}
	found := named
	if len(found) == 0 {
		found = objects
	}
	switch {
	case len(found) == 1:
		return found[0], true
	case len(found) > 1:
		r.bad(n, fmt.Sprintf("several records of this rule are %q", word), "name them with as: and link by that name")
	case word != rec.as && word != rec.object && r.later(u, word):
		r.bad(n, fmt.Sprintf("the record %q stands after this one, and records are written in their order", word), "move this record below it, or the link there")
	case word == rec.as || word == rec.object:
		r.bad(n, "the record links to itself", "")
	default:
		hint := diag.DidYouMean(word, known)
		if hint == "" {
			hint = "a link names an earlier record of the same rule"
			if len(known) > 0 {
				hint += ": " + strings.Join(known, ", ")
			}
		}
		r.bad(n, fmt.Sprintf("no record %q stands before this one in the rule", word), hint)
	}
	return 0, false
}

// later reports whether a record of the rule that was not read yet has the name.
func (r *reader) later(u *rule, word string) bool {
	rest := r.list.Items[min(len(u.records)+1, len(r.list.Items)):]
	return slices.ContainsFunc(rest, func(n *diag.Node) bool {
		as, object := n.Get("as"), n.Get("object")
		return as != nil && as.Value == word || object != nil && object.Value == word
	})
}

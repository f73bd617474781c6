package mapping

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

func (r *reader) records(u *rule, n *diag.Node) {
	list := n.Get("records")
	switch {
	case list == nil && n.Misspells("records", ruleKeys):
		return
	case list == nil || list.Null:
		r.bad(n, `"records" is missing in the rule`, "add records: with the objects that it is to write")
		return
	case list.Shape != diag.Sequence:
		r.bad(list, "records wants a list, not "+list.Shape.String(), "begin each record with - object: …")
		return
	case len(list.Items) == 0:
		r.bad(list, "the rule writes no records", "add - object: …")
		return
	}
	r.list = list
	steps := map[string]int{}
	for _, item := range list.Items {
		if r.full() {
			return
		}
		if !r.mapping(item, recordKeys, "a record") {
			continue
		}
		rec := r.record(u, item)
		rec.findBy()
		rec.step = u.name + "/" + rec.as
		if steps[rec.as]++; steps[rec.as] > 1 {
			rec.step = fmt.Sprintf("%s-%d", rec.step, steps[rec.as])
		}
		u.records = append(u.records, rec)
	}
}

func (r *reader) record(u *rule, n *diag.Node) *record {
	rec := &record{pos: n.Pos(), node: n, create: CreateMissing, object: r.word(n.Get("object"), "object")}
	if rec.object == "" && !n.Misspells("object", recordKeys) {
		r.bad(n, `"object" is missing in the record`, "add object: with the CRM's name for it, such as contacts")
	}
	rec.as = rec.object
	if o := n.Get("object"); o != nil {
		r.checkObject(u, rec, o)
	}
	if as := n.Get("as"); as != nil {
		if rec.as = r.word(as, "as"); rec.as == "" {
			r.bad(as, "as has no name", "leave it out, or name the record")
		}
		for _, other := range u.records {
			if other.as == rec.as {
				r.bad(as, fmt.Sprintf("a second record is named %q; the first is at %s", rec.as, other.pos), "names must be unique within a rule")
			}
		}
	}
	if r.posts(u, n) {
		r.posted(rec, n)
		return rec
	}
	r.create(rec, n.Get("create"))
	r.onMany(rec, n.Get("on_many"))
	r.fields(rec, n)
	r.match(u, rec, n)
	if u.to != "" { // else the rule is a mistake as it is
		r.idleKeys(rec, n)
	}
	if l := n.Get("link"); l != nil {
		r.links(u, rec, l)
	}
	return rec
}

func (r *reader) create(rec *record, n *diag.Node) {
	switch strings.ToLower(r.word(n, "create")) {
	case "", "true":
	case "false":
		rec.create = CreateNever
	case "always":
		rec.create = CreateAlways
	default:
		hint := ""
		switch n.Value {
		case "no", "never", "off":
			hint = onlyUpdate
		}
		r.bad(n, fmt.Sprintf("create is true, false or always, not %q", n.Value), hint)
	}
}

func (r *reader) onMany(rec *record, n *diag.Node) {
	known := []string{string(ManyNewest), string(ManyOldest), string(ManyAll)}
	word := r.word(n, "on_many")
	if word != "" && !slices.Contains(known, word) {
		hint := cmp.Or(diag.DidYouMean(word, known), "newest is the one changed last, oldest the one created first; leave it out to be asked")
		r.bad(n, fmt.Sprintf("on_many is newest, oldest or all, not %q", word), hint)
		return
	}
	rec.onMany = OnMany(word)
}

func (r *reader) fields(rec *record, n *diag.Node) {
	fields := n.Get("fields")
	switch {
	case fields == nil && n.Misspells("fields", recordKeys):
		return
	case fields == nil || fields.Null || fields.Shape == diag.Mapping && len(fields.Pairs) == 0:
		r.bad(n, `"fields" is missing in the record`, "add fields: with the CRM's fields and their values")
		return
	case fields.Shape != diag.Mapping:
		hint := "leave out the dashes"
		if fields.Shape == diag.Scalar {
			hint = "write each field in a line of its own below fields:, indented"
		}
		r.bad(fields, "fields wants field: value, not "+fields.Shape.String(), hint)
		return
	}
	for _, p := range fields.Pairs {
		if r.full() {
			return
		}
		if strings.TrimSpace(p.Key.Value) == "" {
			r.bad(p.Key, "a field without a name", "")
			continue
		}
		if f := r.field(rec, p.Key, p.Value); f != nil {
			rec.fields = append(rec.fields, f)
		}
	}
}

// field reads one field; nil if there is no value to go on with.
func (r *reader) field(rec *record, key, n *diag.Node) *field {
	f := &field{name: key.Value, pos: key.Pos(), when: IfAlways, node: n}
	if f.name == connectors.WholeEvent {
		f.value = r.wholeEvent(rec, key, n)
		return f
	}
	value := n
	switch n.Shape {
	case diag.Sequence:
		r.bad(n, fmt.Sprintf("the field %q has a list", key.Value), `write it as a formula: '=["a", "b"]'`)
		return nil
	case diag.Mapping:
		if value = r.fieldOptions(f, n); value == nil {
			return nil
		}
	}
	if value.Null {
		r.bad(key, fmt.Sprintf("the field %q has no value", key.Value), "to empty it in the CRM write {value: =nil, missing: clear}")
		return nil
	}
	var ps diag.Problems
	want := kField
	if rec.posted {
		want = kBody
	}
	f.value, ps = r.scope.field(value, want)
	r.add(ps...)
	if f.name == connectors.ID && !f.value.kinds.can(kText|kNumber) {
		r.bad(value, "$id wants text or a number, not "+f.value.kinds.String(), "")
	}
	return f
}

// fieldOptions reads {value:, if:, missing:} and returns the value.
func (r *reader) fieldOptions(f *field, n *diag.Node) *diag.Node {
	if strings.HasPrefix(column(n.File.Line(n.Line), n.Column), "{{") {
		return nil // told already: a text that begins with {{ must be in quotes
	}
	value, cut, foreign := n.Get("value"), false, false
	for _, p := range n.Pairs {
		if slices.Contains(fieldKeys, p.Key.Value) {
			continue
		}
		problem := unknownKey(p.Key, fieldKeys)
		guessed := !strings.HasPrefix(problem.Hint, "known here")
		if foreign && value == nil && !guessed {
			continue // what goes with it
		}
		foreign = foreign || guessed
		if value != nil && !value.Quoted && isFormula(value) && !guessed {
			problem = p.Key.Problem("a comma within { } ends the formula before this", "put the formula in quotes: {value: '=…', …}")
			cut = true
		}
		r.add(problem)
	}
	switch word := r.word(n.Get("if"), "if"); If(word) {
	case "", IfAlways:
	case IfEmpty, IfChanged:
		f.when = If(word)
	default:
		r.bad(n.Get("if"), fmt.Sprintf("if is always, empty or changed, not %q", word), fieldCondition)
	}
	f.edits = OnEdit(r.choice(n.Get("on_edit"), "on_edit", onEdits))
	if m := n.Get("missing"); m != nil && m.Null {
		r.doubt(m, "missing: null does not empty the field: a missing value leaves it alone, as without this", "write missing: clear to empty it in the CRM")
	}
	switch word := r.word(n.Get("missing"), "missing"); word {
	case "", "skip":
	case "clear":
		f.clear = true
	default:
		r.bad(n.Get("missing"), fmt.Sprintf("missing is clear or skip, not %q", word), "for another value write =value ?? \"other\"")
	}
	switch {
	case cut, foreign && value == nil: // told already
		return nil
	case value == nil:
		r.bad(n, fmt.Sprintf("the field %q lacks value:", f.name), "write {value: …, if: empty}")
		return nil
	case value.Shape != diag.Scalar:
		r.bad(value, "value wants one value, not "+value.Shape.String(), `write a list as a formula: '=["a", "b"]'`)
		return nil
	}
	return value
}

// column is what stands in a line from that column on; nothing of a line that
// may have very many values, for each of which it would be read.
func column(line string, n int) string {
	if len(line) > maxFormula {
		return ""
	}
	runes := []rune(line)
	return string(runes[min(n-1, len(runes)):])
}

func (r *reader) match(u *rule, rec *record, n *diag.Node) {
	m := n.Get("match")
	if m == nil || m.Null || m.Shape == diag.Sequence && len(m.Items) == 0 {
		r.noMatch(u, rec, n)
		return
	}
	if m.Shape == diag.Mapping {
		r.bad(m, "match wants names of fields, not keys with values", "write match: email, and email: =contact.email under fields")
		return
	}
	alternatives := m.Items
	if m.Shape != diag.Sequence {
		alternatives = []*diag.Node{m}
	}
	written := n.Get("fields")
	for _, alternative := range alternatives {
		var names []string
		for _, w := range r.words(alternative, "match") {
			names = append(names, w.Value)
			if written != nil && written.Shape == diag.Mapping && written.Get(w.Value) == nil {
				r.unwritten(rec, w)
			}
		}
		if len(names) > 0 {
			rec.match = append(rec.match, names)
		}
	}
	for _, f := range rec.fields {
		r.checkID(u, f)
		matched := slices.ContainsFunc(rec.match, func(names []string) bool { return slices.Contains(names, f.name) })
		switch {
		case f.name == connectors.ID && !matched:
			r.add(diag.Problem{Pos: f.pos, Width: len(f.name), Line: n.File.Line(f.pos.Line), Message: "$id is among the fields but not in match: it is never written", Hint: "add $id to match"})
		case matched && f.value.kinds == kList:
			r.add(diag.Problem{Pos: f.pos, Width: len(f.name), Line: n.File.Line(f.pos.Line), Message: fmt.Sprintf("match field %q is a list; a record is found by a single value", f.name), Hint: "write first(…) or join(…)"})
		}
	}
}

// unwritten reports a match field that is not among the record's fields.
func (r *reader) unwritten(rec *record, w *diag.Node) {
	message, hint := fmt.Sprintf("match field %q is not written by this record", w.Value), "add it under fields"
	formula := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(w.Value), "="))
	i := slices.IndexFunc(rec.fields, func(f *field) bool { return f.value.source == "="+formula })
	if _, path := lookup(formula); path || formula != w.Value {
		message, hint = "match wants the name of a field of this record, not a formula", "write the field's name"
	}
	if several := namesIn(w.Value); len(several) > 1 && !slices.ContainsFunc(several, func(s string) bool { return diag.Suggest(s, fieldNames(rec)) == "" }) {
		hint = "write match: [" + strings.Join(several, ", ") + "], which are tried in this order; of [[" + strings.Join(several, ", ") + "]] all must be equal"
	} else if i >= 0 {
		hint = "did you mean " + rec.fields[i].name + "?"
	} else if meansID(w.Value) || w.Value == connectors.ID {
		hint = idHint
	} else if s := diag.DidYouMean(w.Value, fieldNames(rec)); s != "" {
		hint = s
	}
	r.bad(w, message, hint)
}

// namesIn are the names in a text in which several stand.
func namesIn(text string) []string {
	return strings.FieldsFunc(strings.NewReplacer(" or ", ",", " and ", ",", " oder ", ",", " und ", ",", "||", ",", "&&", ",").Replace(text), func(r rune) bool {
		return strings.ContainsRune(",;/+| ", r)
	})
}

// idHint says how a record is found by the id that the CRM gave it.
const idHint = "the CRM's own id of the record is $id: write match: [$id], and $id: =contact.external_id, or what else holds it, under fields"

// meansID reports whether a word is what people or CRMs call a record's own id.
func meansID(word string) bool {
	return slices.Contains([]string{"id", "recordid", "hsobjectid", "crmid", "salesforceid", "hubspotid", "pipedriveid", "airtableid"}, strings.NewReplacer("_", "", " ", "", "-", "", "$", "").Replace(strings.ToLower(word)))
}

// checkID warns of a field by the name under which a CRM gives its own id.
func (r *reader) checkID(u *rule, f *field) {
	own := map[string][]string{"hubspot": {"hs_object_id"}, "pipedrive": {"id"}, "salesforce": {"id"}}
	if crm := r.opt.Connectors[u.to]; slices.Contains(own[crm], strings.ToLower(f.name)) {
		r.add(diag.Problem{Pos: f.pos, Width: len(f.name), Line: f.node.File.Line(f.pos.Line), Severity: diag.Warning,
			Message: fmt.Sprintf("%s is the id that %s itself gives a record: it cannot be written", f.name, crm), Hint: "write $id in its place, also in match"})
	}
}

func fieldNames(rec *record) []string {
	names := make([]string, len(rec.fields))
	for i, f := range rec.fields {
		names[i] = f.name
	}
	return names
}

// noMatch decides about a record without match. Where always a new record is
// wanted, none is needed.
func (r *reader) noMatch(u *rule, rec *record, n *diag.Node) {
	switch {
	case rec.create == CreateAlways, n.Get("match") == nil && n.Misspells("match", recordKeys):
	case u.to == "":
		rec.create = CreateAlways
	default:
		r.bad(n, `"match" is missing in the record`, "add match: with the field that tells one record from another, or create: always for a new one at every event")
	}
}

package sandbox

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// atMaxText is the longest text of a cell (widely quoted for long text, 2026-11).
const atMaxText = 100_000

var (
	atRecordID = regexp.MustCompile(`^rec[0-9A-Za-z]{14}$`)
	atClock    = regexp.MustCompile(`^(\d+):(\d\d)(?::(\d\d))?$`)
)

// cells checks the fields of one record and returns them by field id. A nil
// value clears the cell. typecast makes values fit where it can, and creates
// options and linked records that are missing.
func (t *atTable) cells(a *airtable, b *atBase, fields map[string]any, typecast bool) (map[string]any, *atError) {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	out := map[string]any{}
	for _, name := range names {
		f := t.field(name)
		if f == nil {
			return nil, atInvalid("UNKNOWN_FIELD_NAME", "Unknown field name: %q", name)
		}
		if f.computed() {
			return nil, atInvalid("INVALID_VALUE_FOR_COLUMN", "Field %q cannot accept a value because the field is computed", f.name)
		}
		v, e := f.cell(a, b, fields[name], typecast)
		if e != nil {
			return nil, e
		}
		out[f.id] = v
	}
	return out, nil
}

func (f *atField) refuse() *atError {
	return atInvalid("INVALID_VALUE_FOR_COLUMN", "Field %q cannot accept the provided value", f.name)
}

// cell checks one value and returns it as it is kept.
func (f *atField) cell(a *airtable, b *atBase, v any, typecast bool) (any, *atError) {
	if v == nil {
		return nil, nil
	}
	switch f.typ {
	case "number", "percent", "currency", "rating", "duration":
		return f.numberCell(v, typecast)
	case "checkbox":
		return f.boolCell(v, typecast)
	case "singleSelect":
		text, ok := asText(v, typecast)
		if !ok {
			return nil, f.refuse()
		}
		return f.choice(text, typecast)
	case "multipleSelects":
		return f.choicesCell(v, typecast)
	case "date", "dateTime":
		return f.timeCell(v)
	case "multipleRecordLinks":
		return f.linksCell(a, b, v, typecast)
	default:
		text, ok := asText(v, typecast)
		if !ok || utf8.RuneCountInString(text) > atMaxText {
			return nil, f.refuse()
		}
		if text == "" {
			return nil, nil
		}
		return text, nil
	}
}

// asText takes text only; typecast takes numbers and booleans too.
func asText(v any, typecast bool) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), typecast
	case bool:
		return strconv.FormatBool(v), typecast
	default:
		return "", false
	}
}

func (f *atField) numberCell(v any, typecast bool) (any, *atError) {
	if n, ok := v.(json.Number); ok {
		x, err := n.Float64()
		if err != nil || f.typ == "rating" && (x < 1 || x != float64(int(x))) {
			return nil, f.refuse()
		}
		return x, nil
	}
	text, ok := v.(string)
	if !ok || !typecast {
		return nil, f.refuse()
	}
	if text = strings.TrimSpace(text); text == "" {
		return nil, nil
	}
	if m := atClock.FindStringSubmatch(text); m != nil && f.typ == "duration" {
		var parts [3]int
		for i, s := range m[1:] {
			parts[i], _ = strconv.Atoi(s)
		}
		return float64(parts[0]*3600 + parts[1]*60 + parts[2]), nil
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, f.refuse()
	}
	return x, nil
}

func (f *atField) boolCell(v any, typecast bool) (any, *atError) {
	on, ok := v.(bool)
	if text, isText := v.(string); isText && typecast {
		on, ok = slices.Contains([]string{"true", "1", "checked", "yes"}, strings.ToLower(text)), true
	}
	switch {
	case !ok:
		return nil, f.refuse()
	case on:
		return true, nil
	default:
		return nil, nil // an empty box is an empty cell
	}
}

// choice checks one option. Without typecast a new one is a matter of
// permissions, in Airtable's own words.
func (f *atField) choice(name string, typecast bool) (any, *atError) {
	switch {
	case f.hasChoice(name):
		return name, nil
	case name == "" && typecast:
		return nil, nil
	case !typecast:
		return nil, atInvalid("INVALID_MULTIPLE_CHOICE_OPTIONS", "Insufficient permissions to create new select option \"%q\"", name)
	}
	f.addChoice(name)
	return name, nil
}

func (f *atField) choicesCell(v any, typecast bool) (any, *atError) {
	list, ok := v.([]any)
	if text, isText := v.(string); isText && typecast {
		for part := range strings.SplitSeq(text, ",") {
			list = append(list, strings.TrimSpace(part))
		}
		ok = true
	}
	if !ok {
		return nil, f.refuse()
	}
	var out []string
	for _, item := range list {
		text, ok := asText(item, typecast)
		if !ok {
			return nil, f.refuse()
		}
		name, e := f.choice(text, typecast)
		if e != nil {
			return nil, e
		}
		if name != nil && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

func (f *atField) timeCell(v any) (any, *atError) {
	text, ok := v.(string)
	if !ok {
		return nil, f.refuse()
	}
	if text == "" {
		return nil, nil
	}
	if day, err := time.Parse("2006-01-02", text); err == nil {
		if f.typ == "date" {
			return text, nil
		}
		return isoTime(day), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || f.typ == "date" {
		return nil, f.refuse()
	}
	return isoTime(t), nil
}

func (f *atField) linksCell(a *airtable, b *atBase, v any, typecast bool) (any, *atError) {
	list, ok := v.([]any)
	if text, isText := v.(string); isText && typecast {
		list, ok = []any{text}, true
	}
	if !ok {
		return nil, f.refuse()
	}
	linked := b.table(fmt.Sprint(f.options["linkedTableId"]))
	var out []string
	for _, item := range list {
		text, ok := item.(string)
		if !ok || text == "" {
			return nil, f.refuse()
		}
		id := text
		switch {
		case linked.byID[text] != nil:
		case typecast && !atRecordID.MatchString(text):
			id = a.linkByName(b, linked, text)
		case !atRecordID.MatchString(text):
			return nil, atInvalid("INVALID_RECORD_ID", "Value %q is not a valid record ID.", text)
		default:
			return nil, atInvalid("ROW_DOES_NOT_EXIST", "Record ID %s does not exist", text)
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// linkByName is typecast's way of linking: by the primary field, creating the
// record where none has that name.
func (a *airtable) linkByName(b *atBase, t *atTable, name string) string {
	primary := t.fields[0].id
	for _, r := range t.records {
		if r.cells[primary] == name {
			return r.id
		}
	}
	return a.insert(b, t, map[string]any{primary: name}, a.opts.Now()).id
}

// linkTo keeps the name of the table that a link field leads to, for the
// introspection paths, which know no base.
func (f *atField) linkTo(tables []*atTable) {
	for _, t := range tables {
		if t.id == f.options["linkedTableId"] {
			f.linkedName = t.name
		}
	}
}

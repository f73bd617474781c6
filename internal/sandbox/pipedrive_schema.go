package sandbox

import (
	"strconv"
	"strings"
)

// pdObject is one kind of record.
type pdObject struct {
	name    string
	single  string // in messages
	version string // v1 or v2
	update  string // method
	search  string // fields that search knows
	needs   []string
	list    string // field types endpoint's name, such as person for personFields
	fields  []*pdField
	byCode  map[string]*pdField
	records []*pdRecord
	byID    map[string]*pdRecord
}

type pdField struct {
	code, name, typ string
	target          string // of references
	custom          bool
	fixed           bool // computed: never taken
	options         []pdOption
}

type pdOption struct {
	ID    any    `json:"id"`
	Label string `json:"label"`
}

func (f *pdField) option(id string) *pdOption {
	for i := range f.options {
		if pdText(f.options[i].ID) == id {
			return &f.options[i]
		}
	}
	return nil
}

type pdUser struct {
	ID       int    `json:"id"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	Locale   string `json:"locale"`
	Currency string `json:"default_currency"`
	Phone    any    `json:"phone"`
	Active   bool   `json:"active_flag"`
	Deleted  bool   `json:"is_deleted"`
	You      bool   `json:"is_you"`
	Zone     string `json:"timezone_name"`
}

type pdType struct {
	ID     int    `json:"id"`
	Name   string `json:"name"`
	Key    string `json:"key_string"`
	Icon   string `json:"icon_key"`
	Active bool   `json:"active_flag"`
	Custom bool   `json:"is_custom_flag"`
	Order  int    `json:"order_nr"`
}

func (o *pdObject) add(f *pdField) {
	o.fields = append(o.fields, f)
	o.byCode[f.code] = f
}

func pdOptions(text string, words bool, next *int) []pdOption {
	var out []pdOption
	for label := range strings.SplitSeq(text, "|") {
		switch {
		case label == "":
		case words:
			out = append(out, pdOption{label, label})
		default:
			out = append(out, pdOption{*next, label})
			*next++
		}
	}
	return out
}

func pdTitle(code string) string {
	s := strings.ReplaceAll(code, "_", " ")
	return strings.ToUpper(s[:1]) + s[1:]
}

// pdText is a plain value as text, "" for anything else.
func pdText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	case interface{ String() string }:
		return v.String()
	}
	return ""
}

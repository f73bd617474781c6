package sandbox

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// asTexts prepares the answer for cellFormat=string: cells as people see them,
// in a zone that the request names. Dates are printed as ISO dates whatever
// userLocale says, as the seed's fields are set to.
func (in atList) asTexts(t *atTable, b *atBase) (func(r *atRecord, shown []*atField) map[string]any, *atError) {
	if in.TimeZone == "" || in.Locale == "" {
		return nil, atBadBody(errors.New("cellFormat string needs timeZone and userLocale"))
	}
	zone, err := time.LoadLocation(in.TimeZone)
	if strings.EqualFold(in.TimeZone, "utc") {
		zone, err = time.UTC, nil
	}
	if err != nil {
		return nil, atBadBody(errors.New("timeZone is not known"))
	}
	return func(r *atRecord, shown []*atField) map[string]any {
		out := t.wire(r, shown, in.ByID)
		cells := out["fields"].(map[string]any)
		for key := range cells {
			f := t.field(key)
			cells[key] = f.text(r, b, zone)
		}
		return out
	}, nil
}

// text is a cell that is not empty, as the grid shows it.
func (f *atField) text(r *atRecord, b *atBase, zone *time.Location) string {
	switch v := f.value(r).(type) {
	case bool:
		return "checked"
	case float64:
		if f.typ == "duration" {
			s := int(v)
			return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
		}
		return asString(v)
	case string:
		if f.typ == "dateTime" || f.typ == "createdTime" {
			at, _ := time.Parse(time.RFC3339Nano, v) // it was checked when it came
			return at.In(zone).Format("2006-01-02 15:04")
		}
		return v
	default:
		return asString(atFieldRef{f}.eval(&atScope{base: b, record: r}))
	}
}

package pipedrive

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
)

// stamp is how v1 writes times: UTC, without zone.
const stamp = "2006-01-02 15:04:05"

// encode makes a value right for a field: what stands in the JSON of a request.
// nil clears. skip says that there is nothing to write.
func (c *Connector) encode(ctx context.Context, f connectors.Field, v connectors.Value) (wire any, note string, skip bool, err *connectors.Error) {
	if v == nil {
		return nil, "", false, nil
	}
	switch f.Native {
	case "user":
		wire, skip, err = c.encodeUser(ctx, f, v)
		return wire, "", skip, err
	case "people", "org", "deal", "lead", "activity":
		wire, skip, err = encodeReference(f, v)
		return wire, "", skip, err
	case "time":
		wire, skip, err = c.encodeClock(f, v)
		return wire, "", skip, err
	case recording:
		wire, err = encodeRecording(f, v)
		return wire, "", false, err
	case "monetary":
		wire, err = c.encodeMoney(f, v)
		return wire, "", false, err
	}
	made, err := c.coercion.Coerce(f, v)
	if err != nil || made.Skip {
		return nil, made.Note, made.Skip, err
	}
	wire, err = wireValue(f, made.Value)
	if s, ok := wire.(string); ok && f.Native == "html" && len(s) > maxHTML {
		text, _ := connectors.AsText(v, c.coercion.Zone)
		wire, made.Note = cutHTML(text), fmt.Sprintf("cut to the CRM's %d bytes", maxHTML)
	}
	return wire, made.Note, false, err
}

// cutHTML escapes text and cuts it to the bytes that Pipedrive takes, which the
// contract's count of characters does not see.
func cutHTML(text string) string {
	for most := maxHTML; ; most = most * 9 / 10 {
		if s, _ := connectors.TruncateHTML(text, most); len(s) <= maxHTML {
			return s
		}
	}
}

// wireValue writes a coerced value as Pipedrive reads it. v2 takes no text for
// numbers and no numbers for truths.
func wireValue(f connectors.Field, v any) (any, *connectors.Error) {
	switch v := v.(type) {
	case json.Number:
		switch f.Native {
		case "int":
			if strings.Contains(v.String(), ".") {
				return nil, connectors.Wrong(f, v, "a whole number")
			}
		case "hours":
			s, _ := v.Float64() // a decimal, by Coerce
			// Whole minutes, and never none for a call that took place.
			n := int(math.Ceil(s / 60))
			return fmt.Sprintf("%02d:%02d", n/60, n%60), nil
		case "seconds":
			s, _ := v.Float64()
			return strconv.Itoa(int(math.Round(s))), nil
		}
		return v, nil
	case bool:
		if f.Native == "flag" {
			if v {
				return json.Number("1"), nil
			}
			return json.Number("0"), nil
		}
		return v, nil
	case time.Time:
		switch f.Native {
		case "date":
			return v.Format(time.DateOnly), nil
		case "stamp":
			return v.Format(stamp), nil
		}
		return v.Format(time.RFC3339), nil
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = optionID(f, s)
		}
		return list, nil
	case string:
		if f.Native == "address" {
			return map[string]any{"value": v}, nil
		}
		return optionID(f, v), nil
	}
	return v, nil
}

// optionID is an option as the API wants it: a number for selects, whose words
// are our business, not the rule's.
func optionID(f connectors.Field, s string) any {
	if f.Native != "enum" && f.Native != "set" {
		return s
	}
	if _, err := strconv.Atoi(s); err != nil {
		return s
	}
	return json.Number(s)
}

func plain(v connectors.Value) string {
	s, _ := connectors.AsText(v, time.UTC)
	return strings.TrimSpace(s)
}

func encodeReference(f connectors.Field, v connectors.Value) (any, bool, *connectors.Error) {
	s, ok := connectors.AsText(v, time.UTC)
	switch s = strings.TrimSpace(s); {
	case s == "" && ok:
		return nil, true, nil
	case f.Native == "lead" && uuid.MatchString(s):
		return s, false, nil
	case f.Native != "lead" && digits(s):
		return json.Number(s), false, nil
	}
	return nil, false, connectors.Wrong(f, v, "the id of a record of "+f.Target)
}

func digits(s string) bool { return s != "" && len(s) <= 18 && strings.Trim(s, "0123456789") == "" }

// encodeMoney wants the currency as well, as Pipedrive does.
func (c *Connector) encodeMoney(f connectors.Field, v connectors.Value) (any, *connectors.Error) {
	n, currency, err := c.coercion.Money(f, v)
	if err != nil {
		return nil, err
	}
	if custom(f) {
		return map[string]any{"value": n, "currency": currency}, nil
	}
	return map[string]any{"amount": n, "currency": currency}, nil
}

// held is what a record has in a field, as the API shows it.
func held(k *kind, f connectors.Field, r wireRecord) any {
	switch {
	case f.Native == "email" && !custom(f):
		return primary(pointsOf(r["emails"]))
	case f.Native == "phone" && k.name == "persons" && !custom(f):
		return primary(pointsOf(r["phones"]))
	case custom(f) && !k.old():
		fields, _ := r["custom_fields"].(map[string]any)
		return fields[f.ID]
	}
	return r[code(f)]
}

// value is what a record has in a field, as rules see it: options by their
// labels, lengths as durations.
func value(k *kind, f connectors.Field, r wireRecord) connectors.Value {
	switch v := held(k, f, r).(type) {
	case nil:
		return nil
	case bool:
		return v
	case json.Number:
		return fromText(f, v.String())
	case string:
		return fromText(f, v)
	case []any:
		var out []any
		for _, x := range v {
			if s := plain(x); s != "" {
				out = append(out, label(f, s))
			}
		}
		if len(out) > 0 {
			return out
		}
	case map[string]any:
		for _, name := range []string{"value", "amount", "id"} {
			if x, ok := v[name]; ok && x != nil {
				return fromText(f, plain(x))
			}
		}
	}
	return nil
}

func fromText(f connectors.Field, s string) connectors.Value {
	switch {
	case s == "":
		return nil
	case f.Native == "hours":
		var h, m, sec int
		if n, _ := fmt.Sscanf(s, "%d:%d:%d", &h, &m, &sec); n >= 2 {
			return event.Seconds(h*3600 + m*60 + sec)
		}
		return s
	case f.Type == connectors.Select:
		return label(f, s)
	case f.Native == "flag":
		return s == "1" || s == "true"
	}
	return connectors.Decode(f, s)
}

func label(f connectors.Field, id string) string {
	for _, o := range f.Options {
		if o.Value == id {
			return o.Label
		}
	}
	return id
}

// record is a record with the asked fields.
func (c *Connector) record(s read, r wireRecord, asked []string) connectors.Record {
	out := connectors.Record{ID: r.id(), Created: r.time("add_time"), Modified: r.time("update_time"), Fields: map[string]connectors.Value{}}
	for _, name := range asked {
		f, err := pick(s.object, name)
		if err != nil {
			continue
		}
		if v := value(s.kind, f, r); v != nil {
			out.Fields[name] = v
		}
	}
	return out
}

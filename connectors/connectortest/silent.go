package connectortest

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
)

// silent writes any value into any field of a person and reads it again: either
// it is the same, or the result says what was done, or that it was refused.
func silent(t *testing.T, b *bench) {
	schema, err := b.Describe(t.Context(), []string{b.People.Object})
	if err != nil {
		t.Fatal(err)
	}
	var fields []connectors.Field
	for name, f := range schema[b.People.Object].Fields {
		if !f.ReadOnly && f.Type != connectors.Reference && f.Type != connectors.Other && name != b.People.Key && !apart(f) {
			fields = append(fields, f)
		}
	}
	slices.SortFunc(fields, func(x, y connectors.Field) int { return strings.Compare(x.Name, y.Name) })
	id := b.must(t, b.person(1))[0].ID
	byID := connectors.Key{{Field: connectors.ID, Value: id}}
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	outcome := map[string]int{}
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom(fields).Draw(t, "field")
		v := anyValue(f).Draw(t, "value")
		results, err := b.Write(ctx, []connectors.Change{{Object: b.People.Object, ID: id, Fields: map[string]connectors.Value{f.Name: v}}})
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		r := results[0]
		if r.Err != nil {
			if r.Err.Kind != connectors.Invalid {
				t.Fatalf("%s (%s, %s) given %#v: %v", f.Name, f.Type, f.Native, v, r.Err)
			}
			outcome["refused"]++
			return
		}
		if r.Adjusted[f.Name] != "" {
			outcome["noted"]++
			return
		}
		found, err := b.Find(ctx, []connectors.Match{{Object: b.People.Object, Keys: []connectors.Key{byID}, Read: []string{f.Name}}})
		if err != nil || len(found[0].Records) != 1 {
			t.Fatalf("%s: %v, %v", f.Name, found, err)
		}
		if got := found[0].Records[0].Fields[f.Name]; !alike(f, v, got, zone) {
			t.Fatalf("%s (%s, %s) was given %#v and holds %#v; nothing says so", f.Name, f.Type, f.Native, v, got)
		}
		outcome["same"]++
	})
	if len(fields) < 5 || outcome["same"] == 0 || outcome["refused"] == 0 {
		t.Errorf("%d fields were tried, with %v", len(fields), outcome)
	}
}

// apart are fields of users, which take known addresses only.
func apart(f connectors.Field) bool {
	return f.Name == "add_time" || // which new records take only
		f.Native == "user" || f.Native == "singleCollaborator" || strings.Contains(strings.ToLower(f.Name), "owner")
}

// anyValue draws what rules can give, and much of what fits the field.
func anyValue(f connectors.Field) *rapid.Generator[connectors.Value] {
	text := rapid.StringOfN(rapid.RuneFrom([]rune("abcXYZ äöüß€<>&\"'\n,;0189.-+:/@%_😀")), 1, 60, -1)
	all := []*rapid.Generator[connectors.Value]{
		rapid.Map(text, func(s string) connectors.Value { return s }),
		rapid.Map(rapid.SampledFrom([]string{"1.234,56", "1,234.56", "12,5", "12.50", "-3", "+7", "007", "9007199254740993", "1e3", "12,50 €", "12.50 EUR", "1,234"}), func(s string) connectors.Value { return s }),
		rapid.Map(rapid.SampledFrom([]string{"ja", "Nein", "yes", "no", "TRUE", "0", "1", "on", "x"}), func(s string) connectors.Value { return s }),
		rapid.Map(rapid.SampledFrom([]string{"2026-11-20T09:30:12Z", "2026-03-29 02:30", "20.11.2026", "20.11.2026 23:59", "2026-11-20T09:30:12.345+01:00", "1:30", "1h30m", "03/04/2026"}), func(s string) connectors.Value { return s }),
		rapid.Map(rapid.SampledFrom([]string{"a@example.com", "A.B@Example.COM", "https://example.com/a?b=c", "+4930901820", "030 901820", "nobody"}), func(s string) connectors.Value { return s }),
		rapid.Map(rapid.IntRange(-5, 100_000), func(n int) connectors.Value { return n }),
		rapid.Map(rapid.Float64Range(-1e6, 1e6), func(n float64) connectors.Value { return n }),
		rapid.Map(rapid.Bool(), func(b bool) connectors.Value { return b }),
		rapid.Map(rapid.Int64Range(1e12, 2e12), func(ms int64) connectors.Value { return time.UnixMilli(ms).UTC() }),
		rapid.Map(rapid.Float64Range(0, 100_000), func(s float64) connectors.Value { return event.Seconds(math.Round(s*1000) / 1000) }),
	}
	if len(f.Options) > 0 {
		option := rapid.Map(rapid.SampledFrom(f.Options), func(o connectors.Option) string { return o.Label })
		value := rapid.Map(rapid.SampledFrom(f.Options), func(o connectors.Option) string { return strings.ToUpper(o.Value) })
		for range 4 {
			all = append(all, rapid.Map(option, func(s string) connectors.Value { return s }), rapid.Map(value, func(s string) connectors.Value { return s }),
				rapid.Map(rapid.SliceOfN(option, 1, 3), func(s []string) connectors.Value { return connectors.AsList(s) }))
		}
	}
	return rapid.OneOf(all...)
}

// alike reports whether what a field holds is what it was given.
func alike(f connectors.Field, in, got connectors.Value, zone *time.Location) bool {
	asked, ok := connectors.AsText(in, zone)
	held, okToo := connectors.AsText(got, zone)
	if !ok || !okToo {
		return false
	}
	squeeze := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	asked, held = squeeze(asked), squeeze(held)
	switch f.Type {
	case connectors.Number:
		x, isNumber := connectors.Coercion{Country: "DE"}.Number(in)
		y, isToo := connectors.AsNumber(got)
		a, _ := x.Float64()
		b, _ := y.Float64()
		return isNumber && isToo && math.Abs(a-b) <= math.Abs(a)*1e-12
	case connectors.Duration:
		made, err := (connectors.Coercion{Country: "DE"}).Coerce(connectors.Field{Type: connectors.Duration}, in)
		s, isDuration := got.(event.Seconds)
		if err != nil || !isDuration {
			return false
		}
		a, _ := connectors.AsNumber(made.Value)
		x, _ := a.Float64()
		step := 0.001 // what the field counts in
		if f.Unit != "ms" {
			step = 1
		}
		if f.Native == "hours" {
			step = 60
		}
		return math.Abs(x-float64(s)) <= step
	case connectors.Boolean:
		a, ok := connectors.AsBool(in)
		b, isBool := got.(bool)
		return ok && (isBool && a == b || got == nil && !a)
	case connectors.Date, connectors.DateTime:
		a, _, ok := connectors.AsTime(in, zone)
		b, isTime := got.(time.Time)
		if f.Type == connectors.Date {
			return ok && isTime && a.In(zone).Format(time.DateOnly) == b.UTC().Format(time.DateOnly)
		}
		return ok && isTime && math.Abs(a.Sub(b).Seconds()) < 1
	case connectors.Select:
		return option(f, asked) == option(f, held)
	case connectors.MultiSelect:
		return fmt.Sprint(options(f, in, zone)) == fmt.Sprint(options(f, got, zone))
	case connectors.HTML:
		return squeeze(html.UnescapeString(strings.NewReplacer("<br>", "\n", "<br/>", "\n").Replace(held))) == asked || held == asked
	case connectors.Email:
		return strings.EqualFold(asked, held)
	case connectors.Phone:
		return asked == held || connectors.SamePhone(asked, held, "DE")
	case connectors.Text:
		if at, day, ok := connectors.AsTime(in, zone); f.Native == "time" && ok && !day { // of day
			return held == at.In(zone).Format("15:04:05")
		}
		if f.Native == "time" {
			return strings.HasPrefix(strings.TrimLeft(held, "0"), strings.TrimLeft(asked, "0"))
		}
	case connectors.LongText, connectors.URL, connectors.Reference, connectors.Other:
	}
	return asked == held
}

func option(f connectors.Field, word string) string {
	if o, ok := connectors.PickOption(f.Options, word); ok {
		return o.Value
	}
	return word
}

func options(f connectors.Field, v connectors.Value, zone *time.Location) []string {
	items := connectors.AsList(v)
	if s, ok := v.(string); ok {
		if _, whole := connectors.PickOption(f.Options, s); !whole {
			items = connectors.AsList(strings.Split(s, ";"))
		}
	}
	var out []string
	for _, item := range items {
		s, _ := connectors.AsText(item, zone)
		if s = option(f, strings.TrimSpace(s)); s != "" {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

package connectors

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"

	"github.com/crmsyncd/crmsyncd/event"
)

func berlin(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestCoerce(t *testing.T) {
	t.Parallel()
	zone := berlin(t)
	at := time.Date(2026, 11, 21, 23, 30, 0, 0, time.UTC) // the 22nd in Berlin
	status := []Option{{"new", "New"}, {"in_progress", "In Progress"}, {"b1", "Same"}, {"b2", "same"}}
	for _, c := range []struct {
		name  string
		field Field
		in    Value
		want  Value
		err   string // part of the message; "" is none
	}{
		{"nil clears", Field{Type: Number}, nil, nil, ""},
		{"a whole number becomes text", Field{Type: Text}, 12, "12", ""},
		{"a time becomes text with its zone", Field{Type: Text}, at, "2026-11-22T00:30:00+01:00", ""},
		{"a list becomes text with commas", Field{Type: LongText}, []any{"a", 1, true}, "a, 1, true", ""},
		{"a group is no text", Field{Type: Text}, map[string]any{"a": 1}, nil, "a group of values, but this field wants text"},
		{"HTML is escaped and keeps lines", Field{Type: HTML}, "<b>\n&", "&lt;b&gt;<br>&amp;", ""},
		{"a number stays exact", Field{Type: Number}, "9007199254740993", json.Number("9007199254740993"), ""},
		{"leading zeros and plus go", Field{Type: Number}, " +007.50 ", json.Number("7.50"), ""},
		{"a German amount", Field{Type: Number}, "1.234,50", json.Number("1234.50"), ""},
		{"an English amount", Field{Type: Number}, "1,234.50", json.Number("1234.50"), ""},
		{"an amount with its currency", Field{Type: Number}, "-1.234,56\u00a0€", json.Number("-1234.56"), ""},
		{"a currency before the amount", Field{Type: Number}, "EUR 12,5", json.Number("12.5"), ""},
		{"millions", Field{Type: Number}, "1.234.567", json.Number("1234567"), ""},
		{"a comma that may group is read as the country writes it", Field{Type: Number}, "1,234", json.Number("1.234"), ""},
		{"thousands beside a currency are read as the country writes them", Field{Type: Number}, "1.234 €", json.Number("1234"), ""},
		{"a point is what programs mean by it", Field{Type: Number}, "1.234", json.Number("1.234"), ""},
		{"thousands with narrow blanks", Field{Type: Number}, "1\u202f234\u202f567,50 €", json.Number("1234567.50"), ""},
		{"a Swiss amount", Field{Type: Number}, "CHF 1'234.50", json.Number("1234.50"), ""},
		{"a Polish amount", Field{Type: Number}, "1 234,50 zł", json.Number("1234.50"), ""},
		{"a number as programs write it", Field{Type: Number}, "1e3", json.Number("1000"), ""},
		{"a number without its nought", Field{Type: Number}, "-.5", json.Number("-0.5"), ""},
		{"a number beyond all others", Field{Type: Number}, "1e999", nil, "wants a number"},
		{"two numbers side by side are none", Field{Type: Number}, "1234 567", nil, "wants a number"},
		{"wrong groups are no number", Field{Type: Number}, "1.23.456,7", nil, "is text, but this field wants a number"},
		{"not a number is none", Field{Type: Number}, math.NaN(), nil, "wants a number"},
		{"true is no number", Field{Type: Number}, true, nil, "wants a number"},
		{"a duration in seconds", Field{Type: Duration, Unit: "s"}, event.Seconds(63), json.Number("63"), ""},
		{"a duration in ms", Field{Type: Duration, Unit: "ms"}, event.Seconds(63.5), json.Number("63500"), ""},
		{"minutes and seconds", Field{Type: Duration, Unit: "s"}, " 1:30 ", json.Number("90"), ""},
		{"hours, minutes and seconds", Field{Type: Duration, Unit: "ms"}, "01:02:03", json.Number("3723000"), ""},
		{"a length in words of Go", Field{Type: Duration}, "1h 30m", json.Number("5400"), ""},
		{"seventy seconds in a minute", Field{Type: Duration}, "1:70", nil, "is text, but this field wants a duration"},
		{"half a stopwatch", Field{Type: Duration}, ":30", nil, "wants a duration"},
		{"a negative duration", Field{Type: Duration, Unit: "s"}, event.Seconds(-5), nil, "is less than nothing"},
		{"a negative duration in words", Field{Type: Duration}, "-1h", nil, "is less than nothing"},
		{"a duration in a number field is seconds", Field{Type: Number}, event.Seconds(63), json.Number("63"), ""},
		{"words for true", Field{Type: Boolean}, "Ja", true, ""},
		{"1 is true", Field{Type: Boolean}, 1, true, ""},
		{"2 is not true", Field{Type: Boolean}, 2, nil, "wants true or false"},
		{"the day is the zone's", Field{Type: Date}, at, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), ""},
		{"a day stays the day", Field{Type: Date}, "2026-11-21", time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), ""},
		{"a time without zone is the zone's", Field{Type: DateTime}, "2026-11-21 10:00", time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), ""},
		{"a German date", Field{Type: Date}, "21.11.2026", time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), ""},
		{"milliseconds", Field{Type: DateTime}, 1763719200000, time.UnixMilli(1763719200000).UTC(), ""},
		{"seconds as text", Field{Type: DateTime}, "1763719200", time.Unix(1763719200, 0).UTC(), ""},
		{"a slashed date means two days", Field{Type: Date}, "03/04/2026", nil, "wants a time"},
		{"a small number is no time", Field{Type: DateTime}, 20261121, nil, "wants a time"},
		{"an option by label without case", Field{Type: Select, Options: status}, "in progress", "in_progress", ""},
		{"an unknown option is named after its nearest", Field{Type: Select, Options: status}, "nwe", nil, `did you mean "new"`},
		{"a label of two options is none", Field{Type: Select, Options: status}, "SAME", nil, "none of the field's options"},
		{"several options from a list", Field{Type: MultiSelect, Options: status}, []any{"New", "in_progress", "new"}, []string{"new", "in_progress"}, ""},
		{"several options from text", Field{Type: MultiSelect, Options: status}, "new; In Progress", []string{"new", "in_progress"}, ""},
		{"an e-mail is lower case", Field{Type: Email}, " A@Example.COM ", "a@example.com", ""},
		{"no e-mail", Field{Type: Email}, "nobody", nil, "no e-mail address"},
		{"a number stays as it is written", Field{Type: Phone}, " 030 901820-12 ", "030 901820-12", ""},
		{"an amount is no duration", Field{Type: Duration}, "12,50 €", nil, "wants a duration"},
		{"a link", Field{Type: URL}, "https://example.com/a", "https://example.com/a", ""},
		{"no link", Field{Type: URL}, "javascript:alert(1)", nil, "no link"},
		{"ids", Field{Type: Reference}, "rec1", []string{"rec1"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.field.Name = "f"
			got, err := Coercion{Zone: zone, Country: "DE"}.Coerce(c.field, c.in)
			if c.err != "" {
				if err == nil || err.Kind != Invalid || err.Field != "f" || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got %v, want an invalid field f with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got.Value); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEmptyTextNeverClearsWhatIsNotText(t *testing.T) {
	t.Parallel()
	for _, ft := range []FieldType{Number, Boolean, Date, DateTime, Duration, Select, MultiSelect, Email, Phone, URL, Reference, Other} {
		got, err := Coercion{}.Coerce(Field{Name: "f", Type: ft}, " ")
		if err != nil || !got.Skip || got.Note == "" {
			t.Errorf("%s: got %+v %v, want it skipped with a note", ft, got, err)
		}
	}
}

// TestClearNumbersNeedNoCloserLook writes numbers of all countries, and what
// stands in place of one, with and without the quick look.
func TestClearNumbersNeedNoCloserLook(t *testing.T) {
	t.Parallel()
	clears := 0
	for code := range phonenumbers.GetSupportedCallingCodes() {
		for _, rest := range append([]string{"0000000", "1111111", "00000", "99999999", "151234567", "03012345678", "9111234567", "12345", "3012345600000"}, standIns...) {
			s := "+" + strconv.Itoa(code) + rest
			n, err := phonenumbers.Parse(s, "DE")
			if want := err == nil && standsIn(n); Withheld(s, "DE") != want {
				t.Errorf("%s: withheld is %v, want %v", s, !want, want)
			}
			if clearly(s) {
				clears++
			}
		}
	}
	for _, s := range standIns {
		if clearly("+" + s) {
			t.Errorf("+%s is taken for a number", s)
		}
	}
	if clears < 200 {
		t.Errorf("only %d numbers were clear", clears)
	}
}

func TestWithheldNumbersAreNotWritten(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"anonymous", "Unknown", "private", "0", "+266696687", "266696687", "000000", "unterdrückt"} {
		got, err := Coercion{Country: "DE"}.Coerce(Field{Name: "f", Type: Phone}, in)
		if err != nil || !got.Skip || got.Note == "" {
			t.Errorf("%s: got %+v %v, want it skipped with a note", in, got, err)
		}
	}
}

func TestCoerceNeverLosesSilently(t *testing.T) {
	t.Parallel()
	types := []FieldType{Text, LongText, HTML, Number, Boolean, Date, DateTime, Duration, Select, MultiSelect, Email, Phone, URL, Reference, Other}
	rapid.Check(t, func(t *rapid.T) {
		f := Field{Name: "f", Type: rapid.SampledFrom(types).Draw(t, "type"), MaxLength: rapid.IntRange(0, 40).Draw(t, "max"), Options: []Option{{"a", "A"}, {"b", "B"}}}
		s := rapid.String().Draw(t, "text")
		got, err := Coercion{}.Coerce(f, s)
		if err != nil {
			if err.Kind != Invalid || err.Field != "f" {
				t.Fatalf("error %+v", err)
			}
			return
		}
		if got.Skip {
			if got.Note == "" || strings.TrimSpace(s) != "" && f.Type != Phone {
				t.Fatalf("%s: %q was skipped", f.Type, s)
			}
			return
		}
		switch v := got.Value.(type) {
		case string:
			if f.MaxLength > 0 && utf8.RuneCountInString(v) > f.MaxLength && holdsText(f.Type) {
				t.Fatalf("%q is longer than %d", v, f.MaxLength)
			}
			if f.Type == Text && got.Note == "" && v != s {
				t.Fatalf("%q became %q without a note", s, v)
			}
			if f.Type == HTML && strings.ContainsAny(strings.ReplaceAll(v, "<br>", ""), "<>\"'") {
				t.Fatalf("%q is not escaped", v)
			}
		case json.Number:
			if !json.Valid([]byte(v)) {
				t.Fatalf("%q became %q, which is no number", s, v)
			}
		}
	})
}

func TestParsePhone(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"+49 30 901820": "+4930901820", "030 901820": "+4930901820", "0049 30 901820": "+4930901820", "+49 (0)30 901820": "+4930901820",
		"+1 415 555 2671": "+14155552671", "hello": "", "": "",
	} {
		p, ok := ParsePhone(in, "de")
		if p.E164 != want || ok != (want != "") {
			t.Errorf("%q: got %q %v, want %q", in, p.E164, ok, want)
		}
	}
	p, _ := ParsePhone("030 901820", "DE")
	if diff := cmp.Diff([]string{"4930901820", "004930901820", "030901820", "30901820", "49030901820"}, p.Digits()); diff != "" {
		t.Error(diff)
	}
}

// TestADayThatBeginsAtOneIsThatDay/where clocks are put forward at midnight.
func TestADayThatBeginsAtOneIsThatDay(t *testing.T) {
	t.Parallel()
	for name, day := range map[string]string{"America/Havana": "2024-03-10", "America/Santiago": "2024-09-08", "America/Asuncion": "2023-10-01", "Africa/Cairo": "2024-04-26", "Europe/Berlin": "2024-03-31"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		made, wrong := Coercion{Zone: zone}.Coerce(Field{Name: "due", Type: Date}, day)
		if at, _ := made.Value.(time.Time); wrong != nil || at.Format(time.DateOnly) != day {
			t.Errorf("%s in %s is %v, %v", day, name, made.Value, wrong)
		}
	}
}

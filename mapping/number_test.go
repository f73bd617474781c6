package mapping

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

func TestAFormulaReadsNumbersAsAFieldDoes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"1,234", "-1,234", "1.234", "1.234 €", "$1,234", "1.234,50", "1,234.50", "12,5", "1 234,50 zł", "CHF 1'234.50", "0,123", "007", "1,23,4", "word", "1,234,567", "1e3", "1E-2", "1e999", "1,5e3", ".5", "5.", "0x1F", "1_000", "Infinity", "1.234 EUR", "EUR 1,234", "1.234 CUP", "3 cup"} {
		for _, country := range []string{"", "DE", "US", "CH"} {
			ev := &event.Event{Type: event.CallEnded, Call: &event.Call{Summary: text}}
			s := testScope()
			s.country = country
			made, err := connectors.Coercion{Country: country}.Coerce(connectors.Field{Name: "f", Type: connectors.Number}, text)
			for _, source := range []string{"number(call.summary)", "call.summary < 1.0E9 ? number(call.summary) : nil", "min(call.summary)"} {
				got, fault := evaluated(t, s, source, ev)
				n, _ := made.Value.(json.Number)
				want, _ := n.Float64()
				switch f, isNumber := s.env(ev).number(got); {
				case err != nil && (got != nil || source == "number(call.summary)" && strings.Contains(err.Error(), "two numbers") != strings.Contains(fault, "two numbers")):
					t.Errorf("%s of %q in %q gives %v and %q; a field says: %v", source, text, country, got, fault, err)
				case err == nil && (!isNumber || f != want):
					t.Errorf("%s of %q in %q gives %v %s; a field gets %v", source, text, country, got, fault, want)
				}
			}
		}
	}
}

func TestACountryThatIsWrittenOutSaysHowANumberIsWritten(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]any{
		`number("1.234", "DE")`: 1234, `number("1,234", "DE")`: 1.234, `number("1.234", "US")`: 1.234, `number("1,234", "US")`: 1234,
		`number("12,5", "US")`: 12.5, `number("1.234,50 €", "US")`: 1234.5, `number("1.234", contact.language)`: 1234, `number("word", "DE")`: nil, `number(12, "DE")`: 12,
	} {
		ev := finished()
		ev.Contact.Language = "de"
		if got, ps := evaluate(t, testScope(), source, ev); got != want || ps != nil {
			t.Errorf("%s gives %v %v, want %v", source, got, ps, want)
		}
	}
	s := testScope()
	s.country = ""
	for source, want := range map[string]string{`number("1,234")`: `"1,234" is 1234 in some countries and 1.234 in others`, `number("1", "Germany")`: `unknown country Germany`} {
		if _, ps := evaluate(t, s, source, finished()); !strings.Contains(ps.Error(), want) {
			t.Errorf("%s: %v, want %q", source, ps, want)
		}
	}
}

func (s *scope) env(ev *event.Event) *env { return newEnv(ev, s.zone, s.country) }

// evaluated is evaluate where a fault is no failure of the test.
func evaluated(t *testing.T, s *scope, source string, ev *event.Event) (any, string) {
	t.Helper()
	root, ps := diag.ReadYAML("mapping.yaml", []byte("f: '"+"="+source+"'"))
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	f, ps := s.formula(root.Get("f"), kAny)
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	v, fault := f.eval(s.env(ev))
	if fault != nil {
		return nil, fault.message
	}
	return v, ""
}

func TestALengthOfTimeIsComparedAsItIsWritten(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]any{
		`call.duration > "60s"`: true, `call.duration < "1:30"`: false, `call.duration == "2m"`: true, `call.duration < "1d"`: true, `"2m" == call.duration`: true, `call.duration > "x" + "y"`: false,
		`seconds("1d2h") + 0`: event.Seconds(93600), `seconds("-1d") + 0`: event.Seconds(-86400), `minutes("1d")`: 1440,
	} {
		if got, ps := evaluate(t, testScope(), source, finished()); got != want || ps != nil {
			t.Errorf("%s gives %v %v, want %v", source, got, ps, want)
		}
	}
}

func TestANameOnAListGivesThePartOfEachItem(t *testing.T) {
	t.Parallel()
	ev := finished()
	ev.Raw = []byte(`{"items":[{"sku":"a","in":{"x":1}},{"sku":"b"},7,{"sku":null},["q"]],"n":[1]}`)
	for source, want := range map[string]any{
		`join(raw.items.sku)`: "a, b", `count(raw.items.sku)`: 2, `raw.items.sku[1]`: "b", `raw.items.in.x[0]`: 1, `raw.n.sku`: nil, `raw.items.none`: nil, `raw.items["sku"] contains "b"`: true,
	} {
		if got, ps := evaluate(t, testScope(), source, ev); got != want || ps != nil {
			t.Errorf("%s gives %v %v, want %v", source, got, ps, want)
		}
	}
}

func TestPickSharesOutEvenlyAndAlwaysTheSame(t *testing.T) {
	t.Parallel()
	counts := map[any]int{}
	for i := range 3000 {
		ev := finished()
		ev.Contact.ID = "p" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i/26)
		one, ps := evaluate(t, testScope(), `pick(contact.id, "a", ["b"], "c")`, ev)
		again, _ := evaluate(t, testScope(), `pick(contact.id, "a", ["b"], "c")`, ev)
		if ps != nil || one != again {
			t.Fatalf("%v %v %v", one, again, ps)
		}
		counts[one]++
	}
	for who, n := range counts {
		if len(counts) != 3 || n < 800 || n > 1200 {
			t.Errorf("%v has %d of 3000 of %d people", who, n, len(counts))
		}
	}
}

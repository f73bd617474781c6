package connectors

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestATextThatMeansTwoNumbersIsReadAsItsCountryWritesIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		country, in, number, field string // number is that of NumberIn, field that of a field; "" is none
	}{
		{"DE", "1,234", "1.234", "1.234"},
		{"US", "1,234", "1234", "1234"},
		{"us", "-1,234", "-1234", "-1234"},
		{"", "1,234", "", ""},
		{"CH", "1,234", "", ""},
		{"DE", "1.234", "1234", "1.234"}, // alone it is a program's
		{"US", "1.234", "1.234", "1.234"},
		{"DE", "€ 1.234", "1234", "1234"},
		{"US", "$1,234", "1234", "1234"},
		{"US", "1.234 €", "1.234", "1.234"},
		{"", "1.234 €", "", ""},
		{"", "1.234,5", "1234.5", "1234.5"}, // these mean one number everywhere
		{"US", "12,5", "12.5", "12.5"},
		{"DE", "1,234,567", "1234567", "1234567"},
		{"US", "0,123", "0.123", "0.123"},
		{"DE", "1'234", "1234", "1234"},
	} {
		t.Run(c.country+" "+c.in, func(t *testing.T) {
			t.Parallel()
			if n, ok := NumberIn(c.in, c.country); n != json.Number(c.number) || ok != (c.number != "") {
				t.Errorf("NumberIn gives %q %t, want %q", n, ok, c.number)
			}
			made, err := Coercion{Country: c.country}.Coerce(Field{Name: "f", Type: Number}, c.in)
			switch {
			case c.field != "" && (err != nil || made.Value != json.Number(c.field)):
				t.Errorf("a field gets %v %v, want %q", made.Value, err, c.field)
			case c.field == "" && (err == nil || !strings.Contains(err.Error(), "means two numbers") || !strings.Contains(err.Error(), "country")):
				t.Errorf("a field gets %v %v, want it refused for its two readings, with the mend", made.Value, err)
			}
		})
	}
	if a, b, two := TwoReadings("1.234 €"); a != "1234" || b != "1.234" || !two {
		t.Errorf("1.234 € has the readings %s and %s, %t", a, b, two)
	}
	for _, one := range []Value{"1.234", "1.234,50", "12,5", "word", 1.234, nil} {
		if a, b, two := TwoReadings(one); two {
			t.Errorf("%v has the readings %s and %s", one, a, b)
		}
	}
}

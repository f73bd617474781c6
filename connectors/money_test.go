package connectors

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestAnAmountIsTheSameNumberForANumberFieldAndForMoney(t *testing.T) {
	t.Parallel()
	const two, sign, no = "means two numbers", "several currencies", "an amount and a currency"
	for _, c := range []struct {
		country, in, number, currency string
		err                           string // of money, where it takes none
	}{
		{"DE", "1.234 EUR", "1234", "EUR", ""},
		{"DE", "1.234 €", "1234", "EUR", ""},
		{"DE", "1.234€", "1234", "EUR", ""},
		{"DE", "€ 1.234", "1234", "EUR", ""},
		{"DE", "1,234 EUR", "1.234", "EUR", ""},
		{"US", "1,234 EUR", "1234", "EUR", ""},
		{"US", "1.234 EUR", "1.234", "EUR", ""},
		{"DE", "EUR 1.234,50", "1234.50", "EUR", ""},
		{"DE", "EUR1.234,50", "1234.50", "EUR", ""},
		{"DE", "1.234,50€", "1234.50", "EUR", ""},
		{"DE", "1.234,50\u00a0€", "1234.50", "EUR", ""},
		{"DE", "1 234,50 EUR", "1234.50", "EUR", ""},
		{"FR", "1\u202f234,50\u202f€", "1234.50", "EUR", ""},
		{"DE", "-12,5 euro", "-12.5", "EUR", ""},
		{"DE", "€ 5 EUR", "5", "EUR", ""},
		{"", "1,234.50 USD", "1234.50", "USD", ""},
		{"", "US$ 1,234.50", "1234.50", "USD", ""},
		{"US", "$1,234", "1234", "USD", ""},
		{"ca", "$12.50", "12.50", "CAD", ""},
		{"DE", "$12.50", "12.50", "", sign},
		{"GB", "£1,234", "1234", "GBP", ""},
		{"CH", "CHF 1'234.50", "1234.50", "CHF", ""},
		{"CH", "12.50 Fr.", "12.50", "CHF", ""},
		{"PL", "1 234,50 zł", "1234.50", "PLN", ""},
		{"CZ", "1 234 Kč", "1234", "CZK", ""},
		{"HU", "1 234 Ft", "1234", "HUF", ""},
		{"SE", "1 234,50 kr", "1234.50", "SEK", ""},
		{"DK", "1.234 kr.", "1234", "DKK", ""},
		{"FI", "12 kr", "12", "", sign},
		{"JP", "¥1,234", "1234", "JPY", ""},
		{"TR", "1.234,50 TRY", "1234.50", "TRY", ""},
		{"", "1.234 EUR", "", "", two},
		{"CH", "CHF 1,234", "", "", two},
		{"DE", "¤ 5", "5", "", no},
		{"DE", "€ 5 USD", "5", "", no},
		{"DE", "1.234,50", "1234.50", "", no},
		{"DE", "EUR", "", "", no},
		{"DE", "twelve EUR", "", "", no},
		{"DE", "1.23.4 EUR", "", "", no},
		{"DE", "12 cups", "", "", no},
	} {
		t.Run(c.country+" "+c.in, func(t *testing.T) {
			t.Parallel()
			home := Coercion{Country: c.country}
			made, err := home.Coerce(Field{Name: "f", Type: Number}, c.in)
			if c.number == "" && err == nil || c.number != "" && (err != nil || made.Value != json.Number(c.number)) {
				t.Errorf("a number field gets %v %v, want %q", made.Value, err, c.number)
			}
			n, currency, err := home.Money(Field{Name: "f"}, c.in)
			switch {
			case c.err == "" && (err != nil || n != json.Number(c.number) || currency != c.currency):
				t.Errorf("money is %q %q %v, want %q %q", n, currency, err, c.number, c.currency)
			case c.err != "" && (err == nil || err.Kind != Invalid || err.Field != "f" || !strings.Contains(err.Message, c.err)):
				t.Errorf("money is %q %q %v, want it refused: %s", n, currency, err, c.err)
			}
		})
	}
	// A currency of the account's own is known to the CRM alone.
	if n, currency, err := (Coercion{Country: "DE"}).Money(Field{}, "1.234,5 pts"); n != "1234.5" || currency != "PTS" || err != nil {
		t.Errorf("got %s %s %v", n, currency, err)
	}
	for _, v := range []Value{12, true, []any{"12 EUR"}, map[string]any{"amount": 12}} {
		if _, _, err := (Coercion{}).Money(Field{}, v); err == nil || !strings.Contains(err.Message, typeWord(v)) || !strings.Contains(err.Message, no) {
			t.Errorf("%T: got %v, want it refused by its type", v, err)
		}
	}
}

func TestAGroupIsNoValueOfAnyField(t *testing.T) {
	t.Parallel()
	for _, ft := range []FieldType{Text, LongText, HTML, Number, Boolean, Date, DateTime, Duration, Select, MultiSelect, Email, Phone, URL, Reference, Other} {
		for _, anyOption := range []bool{false, true} {
			got, err := Coercion{AnyOption: anyOption}.Coerce(Field{Name: "f", Type: ft}, map[string]any{"a": 1})
			if err == nil || err.Field != "f" || err.Kind != Invalid || !strings.Contains(err.Message, "is a group of values, but this field wants") {
				t.Errorf("%s: got %v %v, want it refused as a group", ft, got.Value, err)
			}
		}
	}
}

package sources

import (
	"fmt"
	"testing"
)

func TestPhone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ raw, country, want string }{
		{"+493023125017", "", "+493023125017"},
		{"+49 (0)171 3920018", "DE", "+491713920018"},
		{"+4901713920018", "", "+491713920018"},
		{"0171/39200-18", "DE", "+491713920018"},
		{"0171 3920018", "", ""},
		{"004917139200 18", "DE", "+491713920018"},
		{"tel:+49-30-23125017", "", "+493023125017"},
		{"＋４９３０２３１２５０１７", "DE", "+493023125017"},
		{"+390612345678", "", "+390612345678"},
		{"+1 555 123", "", ""},
		{"+49123", "", ""},
		{"+0123456789012", "", ""},
		{"1234567890123456789012345678901234567890", "DE", ""},
		{"anonymous", "DE", ""},
		{"*31#0171392", "DE", ""},
		{"sip:201@voip.example.com", "DE", ""},
		{"203", "DE", ""},
		{"", "DE", ""},
		{"00000000", "DE", ""},
		{"0", "DE", ""},
		{"0000", "DE", ""},
		{"+49000000000", "DE", ""},
		{"0049 000000000", "DE", ""},
		{"999999", "DE", ""},
		{"11111111", "DE", ""},
		{"+1111111111", "", ""},
		{"01234567", "DE", ""},
		{"116117", "DE", ""},
		{"266696687", "DE", ""},
		{"0266696687", "DE", ""},
		{"+266696687", "DE", ""},
		{"+49266696687", "", ""},
		{"0049266696687", "DE", ""},
		{"49266696687", "DE", ""},
		{"030266696687", "DE", "+4930266696687"},
		{"06 66 66 66 66", "FR", "+33666666666"},
		{"+33666666666", "", "+33666666666"},
		{"020", "DE", ""},
	} {
		if got := Phone(c.raw, c.country); got != c.want {
			t.Errorf("%q in %q: got %q, want %q", c.raw, c.country, got, c.want)
		}
	}
}

func TestEmail(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		" Erika.Mustermann@Example.COM ": "erika.mustermann@example.com",
		"a+b@mail.example.com":           "a+b@mail.example.com",
		"x@localhost":                    "",
		"@example.com":                   "",
		"a b@example.com":                "",
		"a@b@example.com":                "",
		"a@example.":                     "",
		"Erika <e@example.com>":          "",
		"":                               "",
	} {
		if got := Email(raw); got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}

// The Bundesnetzagentur gives these to films and examples: they are not given
// out, and yet must pass.
func TestPhoneTakesTheNumbersOfFilms(t *testing.T) {
	t.Parallel()
	for _, r := range []struct {
		prefix string
		count  int
	}{{"03023125%03d", 1000}, {"017139200%02d", 100}, {"0176040690%02d", 100}} {
		for n := range r.count {
			raw := fmt.Sprintf(r.prefix, n)
			if got := Phone(raw, "DE"); got != "+49"+raw[1:] {
				t.Fatalf("%s: got %q", raw, got)
			}
		}
	}
}

func TestWithheld(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"0": true, "0000": true, "00000000": true, "+490000000000": true, "+49 (0) 00000": true,
		"999999": true, "266696687": true, "+49266696687": true, "0266696687": true,
		"": false, "anonymous": false, "333": false, "55555": false, "201": false,
		"+999000000000": false, "+493023125000": false, "10000000": false, "0302000000": false,
		"sip:000000@voip.example.com": false, "000000000000000000000000000000": false,
	} {
		if got := Withheld(raw); got != want {
			t.Errorf("%q: got %v, want %v", raw, got, want)
		}
	}
}

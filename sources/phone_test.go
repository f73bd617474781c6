package sources

import "testing"

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

package diag

import (
	"strings"
	"time"
	"unicode"
)

// Zone guesses which time zone a city or a badly spelt name stands for; "" if
// it is none that is known.
func Zone(name string) string {
	words := strings.FieldsFunc(strings.ToLower(strings.TrimSpace(name)), func(r rune) bool { return r == ' ' || r == '_' })
	if len(words) == 0 || len(name) > 40 {
		return ""
	}
	upper := true
	city := strings.Map(func(r rune) rune {
		was := upper
		if upper = r == '/' || r == '_' || r == '-'; was {
			return unicode.ToUpper(r)
		}
		return r
	}, strings.Join(words, "_"))
	for _, region := range []string{"", "Europe/", "America/", "Asia/", "Africa/", "Australia/", "Pacific/", "Atlantic/"} {
		if _, err := time.LoadLocation(region + city); err == nil && region+city != "Local" && strings.Contains(region+city, "/") {
			return region + city
		}
	}
	switch strings.ToLower(name) {
	case "mez", "mesz", "gmt+1", "germany", "deutschland":
		return "Europe/Berlin"
	}
	return ""
}

// countries are names by which people call countries that a code is wanted of.
var countries = map[string]string{
	"germany": "DE", "deutschland": "DE", "deu": "DE", "ger": "DE", "de-de": "DE", "+49": "DE", "49": "DE",
	"austria": "AT", "österreich": "AT", "aut": "AT", "+43": "AT", "switzerland": "CH", "schweiz": "CH", "che": "CH", "+41": "CH",
	"netherlands": "NL", "niederlande": "NL", "nederland": "NL", "holland": "NL", "nld": "NL", "+31": "NL", "belgium": "BE", "belgien": "BE", "belgië": "BE",
	"france": "FR", "frankreich": "FR", "italy": "IT", "italien": "IT", "spain": "ES", "spanien": "ES", "poland": "PL", "polen": "PL",
	"uk": "GB", "united kingdom": "GB", "england": "GB", "usa": "US", "united states": "US",
}

// Country guesses the code of a country from its name; "" if it is not known.
func Country(name string) string { return countries[strings.ToLower(strings.TrimSpace(name))] }

package sources

import (
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Phone returns a number in E.164, such as +493023125017, or "" if raw is none:
// withheld numbers and what stands for them (see Withheld), extensions, SIP
// addresses. country (DE, say) completes numbers without country code; "" leaves
// those out. They must be numbers that their country gives out; of numbers with
// a country code it is enough that their length is right, as vendors got them
// from the network and lists of the world's numbers lag behind.
func Phone(raw, country string) string {
	raw = strings.TrimSpace(raw)
	if Withheld(raw) {
		return ""
	}
	if isE164(raw) {
		return raw
	}
	// The longest numbers that people write have some 30 characters; "tel:"
	// and blanks come on top.
	if raw == "" || len(raw) > 64 || strings.ContainsAny(raw, "@*#") {
		return ""
	}
	n, err := phonenumbers.ParseAndKeepRawInput(raw, country)
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return ""
	}
	if n.GetCountryCodeSource() == phonenumbers.PhoneNumber_FROM_DEFAULT_COUNTRY && !phonenumbers.IsValidNumber(n) {
		return ""
	}
	n.Extension = nil
	e164 := phonenumbers.Format(n, phonenumbers.E164)
	if len(e164)-1 < shortest || Withheld(e164) {
		return ""
	}
	return e164
}

// anonymous is ANONYMOUS on the keys of a telephone, which exchanges put in
// place of a number that is withheld.
const anonymous = "266696687"

// Withheld reports whether digits stand where a number is withheld: nothing but
// zeros, also behind a country code; one digit six times or more; ANONYMOUS on
// the keys of a telephone, alone or behind a country code or a 0. Words and
// blanks are not its business: Phone takes them for no number anyway.
func Withheld(raw string) bool {
	var buf [24]byte
	digits := buf[:0]
	for i := range len(raw) {
		switch c := raw[i]; {
		case c >= '0' && c <= '9':
			if digits = append(digits, c); len(digits) == cap(buf) {
				return false
			}
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '@':
			return false // a SIP address, or a word
		}
	}
	all := string(digits)
	if all == "" {
		return false
	}
	rest := strings.TrimLeft(all, "0")
	if rest == "" || rest == anonymous || len(all) >= 6 && strings.Count(all, all[:1]) == len(all) {
		return true
	}
	international := strings.HasPrefix(strings.TrimSpace(raw), "+") || strings.HasPrefix(all, "00")
	if len(rest) < shortest || !international && all[0] == '0' {
		return false
	}
	code, national := rest[:codeLength(rest)], rest[codeLength(rest):]
	if national == anonymous {
		return true
	}
	n, _ := strconv.Atoi(code) // one to three digits
	return international && strings.Trim(national, "0") == "" && phonenumbers.GetRegionCodeForCountryCode(n) != phonenumbers.UNKNOWN_REGION
}

// shortest is the digits of the shortest numbers in use (Niue: 683 and four
// more). In Germany the library takes any extension for a number.
const shortest = 7

// isE164 tells numbers that need no work, which saves 20 µs each: a plus, ten
// to fifteen digits, and no 0 behind the country code, as in +4901713920000
// (in Italy it belongs to the number; the library knows).
func isE164(s string) bool {
	if len(s) < 11 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s[1+codeLength(s[1:])] != '0'
}

// codeLength is the length of the country code that digits begin with
// (ITU-T E.164, list of 2016-11-15).
func codeLength(digits string) int {
	switch {
	case digits[0] == '1' || digits[0] == '7':
		return 1
	case strings.Contains("20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98", digits[:2]):
		return 2
	}
	return 3
}

// Email returns an address in lower case, or "" if raw is none that mail could
// reach.
func Email(raw string) string {
	s := strings.ToLower(strings.TrimSpace(raw))
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(s) > 254 || !strings.Contains(strings.Trim(domain, "."), ".") || strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") {
		return ""
	}
	if strings.ContainsAny(s, " \t\r\n\"<>(),;:\\[]") || strings.Contains(domain, "@") {
		return ""
	}
	return s
}

package connectors

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// PhoneNumber is a number taken apart, for finding it in a CRM that keeps numbers as
// people typed them.
type PhoneNumber struct {
	E164     string // +4930123456
	National string // 30123456: without country code and trunk prefix
	Code     string // 49
}

// ParsePhone reads a number as people write it; country serves numbers
// without country code. An extension is left out. It is false for what cannot
// be a number, and for what stands where a number is withheld.
func ParsePhone(s, country string) (PhoneNumber, bool) {
	if len(s) > 64 || strings.Contains(s, "@") {
		return PhoneNumber{}, false
	}
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1 // marks of direction, which come with numbers copied from elsewhere
		}
		return r
	}, s))
	if !strings.ContainsFunc(s, unicode.IsDigit) {
		return PhoneNumber{}, false
	}
	n, err := phonenumbers.Parse(s, strings.ToUpper(country))
	if err != nil || !phonenumbers.IsPossibleNumber(n) || withheld(n) {
		return PhoneNumber{}, false
	}
	return PhoneNumber{
		E164:     phonenumbers.Format(n, phonenumbers.E164),
		National: phonenumbers.GetNationalSignificantNumber(n),
		Code:     strconv.Itoa(int(n.GetCountryCode())),
	}, true
}

// Withheld reports whether a text stands in place of a number: a word such as
// anonymous or unknown, or digits that no telephone has. Other spellings that
// ParsePhone cannot read, such as extensions, are somebody's number all the same.
func Withheld(s, country string) bool {
	if !strings.ContainsFunc(s, unicode.IsDigit) {
		return true
	}
	if clearly(s) {
		return false
	}
	n, err := phonenumbers.Parse(s, strings.ToUpper(country))
	if err != nil {
		return strings.Trim(s, "0 +") == ""
	}
	return standsIn(n)
}

// clearly reports whether an E.164 number needs no closer look: all that stands
// in place of a number can be told by the last digits. Taking a number apart
// costs more than all else that is done with a value.
func clearly(s string) bool {
	const last = 5
	if len(s) < 9 || len(s) > 16 || s[0] != '+' || s[1] == '0' || strings.Trim(s[1:], "0123456789") != "" {
		return false
	}
	end := s[len(s)-last:]
	return strings.Count(end, end[:1]) < last && !slices.ContainsFunc(standIns, func(w string) bool { return strings.HasSuffix(w, end) })
}

// standIns are words on the keys of a telephone that exchanges put in place of
// a number: anonymous, restricted, unavailable.
var standIns = []string{"266696687", "7378742833", "86282452253"}

// shortestNational is the least number of digits of a number that can be called
// from anywhere: what is shorter is an extension or a short code.
const shortestNational = 4

// withheld reports whether a number stands where there is none: an extension, a
// word on the keys, or one digit over and over.
func withheld(n *phonenumbers.PhoneNumber) bool {
	national := phonenumbers.GetNationalSignificantNumber(n)
	if len(national) < shortestNational {
		return true
	}
	return standsIn(n)
}

func standsIn(n *phonenumbers.PhoneNumber) bool {
	national := phonenumbers.GetNationalSignificantNumber(n)
	all := strconv.Itoa(int(n.GetCountryCode())) + national
	if national == "" || slices.Contains(standIns, national) || slices.Contains(standIns, all) {
		return true
	}
	// Three ones may be somebody's extension.
	return strings.Trim(national, "0") == "" || len(national) > 5 && strings.Count(national, national[:1]) == len(national)
}

// Digits lists the digits of the ways in which the number is mostly written:
// +49 30 1, 0049 30 1, 030 1, 30 1 and +49 (0)30 1.
func (p PhoneNumber) Digits() []string {
	return []string{p.Code + p.National, "00" + p.Code + p.National, "0" + p.National, p.National, p.Code + "0" + p.National}
}

// SamePhone tells whether two texts are the same number.
func SamePhone(a, b, country string) bool {
	x, ok := ParsePhone(a, country)
	y, also := ParsePhone(b, country)
	if ok && also {
		return x.E164 == y.E164
	}
	return a != "" && a == b
}

package connectors

import (
	"strconv"
	"strings"

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
// without country code. It is false for what cannot be a number.
func ParsePhone(s, country string) (PhoneNumber, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 64 || !strings.ContainsAny(s, "0123456789") {
		return PhoneNumber{}, false
	}
	n, err := phonenumbers.Parse(s, strings.ToUpper(country))
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return PhoneNumber{}, false
	}
	return PhoneNumber{
		E164:     phonenumbers.Format(n, phonenumbers.E164),
		National: phonenumbers.GetNationalSignificantNumber(n),
		Code:     strconv.Itoa(int(n.GetCountryCode())),
	}, true
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

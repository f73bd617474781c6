package connectors

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
)

// signs are the currencies of signs and words that mean one wherever they are
// written (Unicode CLDR 48). Codes of other kinds are those of ISO 4217.
var signs = map[string]string{
	"€": "EUR", "EURO": "EUR", "Euro": "EUR", "euro": "EUR", "eur": "EUR", "Eur": "EUR", "usd": "USD", "gbp": "GBP", "chf": "CHF", "pln": "PLN", "£": "GBP", "US$": "USD", "zł": "PLN", "Kč": "CZK", "Ft": "HUF", "Fr": "CHF",
	"₹": "INR", "₺": "TRY", "₽": "RUB", "₴": "UAH", "₪": "ILS", "₩": "KRW", "₫": "VND", "₱": "PHP", "₦": "NGN", "₸": "KZT", "₾": "GEL",
}

// shared are the signs that several currencies have: which it is, the country says.
var shared = map[string]map[string]string{
	"$": {"US": "USD", "EC": "USD", "SV": "USD", "CA": "CAD", "AU": "AUD", "NZ": "NZD", "SG": "SGD", "HK": "HKD", "TW": "TWD", "MX": "MXN",
		"AR": "ARS", "CL": "CLP", "CO": "COP", "UY": "UYU", "DO": "DOP", "JM": "JMD", "TT": "TTD"},
	"kr": {"SE": "SEK", "NO": "NOK", "DK": "DKK", "IS": "ISK"},
	"¥":  {"JP": "JPY", "CN": "CNY"},
}

// currencies are the codes of ISO 4217 (list one of 2026-01-01), without
// metals, funds and tests.
var currencies = countries(`AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC
	CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW
	KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR
	RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD
	XCG XOF XPF YER ZAR ZMW ZWG`)

var (
	money = regexp.MustCompile(`^(` + currencyWord + `)?[\s\p{Z}]*([+-]?[0-9].*?)[\s\p{Z}]*(` + currencyWord + `)?$`)
	code  = regexp.MustCompile(`^[A-Za-z]{3}$`)
)

const currencyWord = `\p{L}{0,2}\p{Sc}|\p{L}{2,4}\.?`

// parted takes a text apart into a number and the words before and behind it.
func parted(text string) (before, digits, behind string) {
	text = strings.TrimSpace(text)
	if len(text) > 400 {
		return "", text, ""
	}
	if m := money.FindStringSubmatch(text); m != nil {
		return strings.TrimSuffix(m[1], "."), m[2], strings.TrimSuffix(m[3], ".")
	}
	return "", text, ""
}

// amount takes the currency from a number, and says whether there was one.
func amount(text string) (digits string, priced bool) {
	before, digits, behind := parted(text)
	if isCurrency(before) && isCurrency(behind) {
		return digits, before+behind != ""
	}
	return strings.TrimSpace(text), false
}

// isCurrency reports whether a word beside a number can only be its currency;
// no word is none that is in the way.
func isCurrency(word string) bool {
	return word == "" || signs[word] != "" || shared[word] != nil || currencies[word] || strings.ContainsFunc(word, func(r rune) bool { return unicode.Is(unicode.Sc, r) })
}

// Money reads a sum of money: its number as Number reads it, and the code of its
// currency, which stands before or behind it as a code of three letters or as a
// sign. Errors are Invalid, as those of Coerce.
func (c Coercion) Money(f Field, v Value) (json.Number, string, *Error) {
	refused := func(message string) (json.Number, string, *Error) {
		return "", "", &Error{Kind: Invalid, Field: f.Name, Code: CodeValue, Message: message}
	}
	const want = "an amount and a currency such as 12.50 EUR"
	text, _ := v.(string)
	before, digits, behind := parted(text)
	if before+behind == "" {
		return "", "", Wrong(f, v, want)
	}
	n, ok := twofoldIn(digits, c.Country)
	if !ok && twofold.MatchString(digits) {
		return refused(Twofold)
	} else if !ok {
		n, ok = AsNumber(digits)
	}
	if !ok {
		return "", "", Wrong(f, v, want)
	}
	currency := ""
	for _, word := range []string{before, behind} {
		if word == "" {
			continue
		}
		named := c.currency(word)
		switch {
		case named == "" && shared[word] != nil:
			return refused("is text with a sign that several currencies have, such as $ and kr; write the currency's code, such as 12.50 USD, or say whose it is with defaults: {country: …} in config.yaml")
		case named == "" || currency != "" && named != currency:
			return "", "", Wrong(f, v, want)
		}
		currency = named
	}
	return n, currency, nil
}

// currency is the code of the currency that a word means; "" if it is not known.
// A code that is none of ISO 4217 is the CRM's to know: accounts can have their own.
func (c Coercion) currency(word string) string {
	switch {
	case signs[word] != "":
		return signs[word]
	case code.MatchString(word):
		return strings.ToUpper(word)
	}
	return shared[word][strings.ToUpper(c.Country)]
}

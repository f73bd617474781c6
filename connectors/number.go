package connectors

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/crmsyncd/crmsyncd/event"
)

// The ways in which people write numbers. A single separator with three digits
// behind it may group them or begin the decimals.
var (
	decimal = regexp.MustCompile(`^[+-]?([0-9]{1,300}(\.[0-9]{1,300})?|\.[0-9]{1,300})$`)
	powered = regexp.MustCompile(`^[+-]?[0-9]{1,300}(\.[0-9]{1,300})?[eE][+-]?[0-9]{1,3}$`)
	german  = regexp.MustCompile(`^[+-]?([0-9]{1,3}(\.[0-9]{3}){1,10},[0-9]{1,20}|[0-9]{1,3}(\.[0-9]{3}){2,10}|[0-9]{1,300},([0-9]{1,2}|[0-9]{4,20})|0,[0-9]{3})$`)
	english = regexp.MustCompile(`^[+-]?([0-9]{1,3}(,[0-9]{3}){1,10}\.[0-9]{1,20}|[0-9]{1,3}(,[0-9]{3}){2,10})$`)
	// spaced are thousands that no decimals look like: 1 234,50 and 1'234.50.
	spaced  = regexp.MustCompile(`^[+-]?[0-9]{1,3}([ \x{a0}\x{2009}\x{202f}][0-9]{3}){1,10}([.,][0-9]{1,20})?$|^[+-]?[0-9]{1,3}(['’][0-9]{3}){1,10}([.,][0-9]{1,20})?$`)
	twofold = regexp.MustCompile(`^[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}$`)
)

// points are the countries that begin decimals with a point and group digits by
// commas; in the others of commas it is the other way round (Unicode CLDR 48,
// number symbols of each country's first language). Of countries in neither, Switzerland
// and Canada among them as they have both, it is not known.
var (
	points = countries("AE AU BD BW CN DO EG GB GH GT HK HN IE IL IN JP KE KR LK MM MT MX MY NG NI NP NZ PA PE PH PK PR SG SV TH TW TZ UG US ZM ZW")
	commas = countries("AD AL AM AR AT AZ BA BE BG BO BR BY CL CO CR CY CZ DE DK EC EE ES FI FR GE GR HR HU ID IS IT KZ LT LU LV MC MD ME MK NL NO PL PT PY RO RS RU SE SI SK SM TR UA UY UZ VE VN")
)

func countries(codes string) map[string]bool {
	all := map[string]bool{}
	for code := range strings.FieldsSeq(codes) {
		all[code] = true
	}
	return all
}

// AsNumber gives a value as a plain decimal. Text is a number if it is written
// as one, in the German or the English way: 1234.5, 1.234,50, 1,234.50, 1 234,50
// and 1'234.50, also beside a currency, and as programs do: 1.5e3. 1.234 alone is the decimals that
// programs mean by it; 1,234 and 1.234 € are no numbers, as TwoReadings says.
func AsNumber(v Value) (json.Number, bool) {
	switch v := v.(type) {
	case int:
		return json.Number(strconv.Itoa(v)), true
	case int64:
		return json.Number(strconv.FormatInt(v, 10)), true
	case float64:
		return floatNumber(v)
	case event.Seconds:
		return floatNumber(float64(v))
	case json.Number:
		return AsNumber(v.String())
	case string:
		return textNumber(v)
	}
	return "", false
}

// NumberIn is AsNumber for text that is written as in a country (ISO 3166 code):
// there 1.234 and 1,234 are what people mean by them. A country of which that is
// not known helps nothing.
func NumberIn(v Value, country string) (json.Number, bool) {
	if s, ok := v.(string); ok {
		digits, _ := amount(s)
		if n, ok := twofoldIn(digits, country); ok {
			return n, true
		}
	}
	return AsNumber(v)
}

// twofoldIn reads a text that may mean two numbers as its country writes them.
func twofoldIn(digits, country string) (json.Number, bool) {
	if !twofold.MatchString(digits) {
		return "", false
	}
	country = strings.ToUpper(country)
	switch comma := strings.Contains(digits, ","); {
	case points[country] && comma, commas[country] && !comma:
		return plainNumber(strings.NewReplacer(",", "", ".", "").Replace(digits)), true
	case points[country], commas[country]:
		return plainNumber(strings.Replace(digits, ",", ".", 1)), true
	}
	return "", false
}

// Number is AsNumber, with the country's way of writing numbers where a text may
// mean two. Fields and formulas read numbers by it alike.
func (c Coercion) Number(v Value) (json.Number, bool) {
	if n, ok := AsNumber(v); ok {
		return n, true
	}
	return NumberIn(v, c.Country)
}

// TwoReadings gives the two numbers that a text may mean which is none to
// AsNumber for that reason: 1,234 is 1234 in the one country and 1.234 in the other.
func TwoReadings(v Value) (thousands, decimals json.Number, two bool) {
	s, ok := v.(string)
	if _, clear := AsNumber(v); !ok || clear {
		return "", "", false
	}
	if thousands, ok = NumberIn(s, "US"); !ok {
		return "", "", false
	}
	decimals, _ = NumberIn(s, "DE")
	if strings.Contains(string(thousands), ".") {
		return decimals, thousands, true
	}
	return thousands, decimals, true
}

// Twofold says what is wrong with a text of which TwoReadings gives two numbers.
const Twofold = "is text that means two numbers, as one sign with three digits behind it groups thousands in some countries and begins decimals in others; say whose way it is with defaults: {country: …} in config.yaml, or with number(…, \"DE\")"

func textNumber(text string) (json.Number, bool) {
	s, priced := amount(text)
	switch {
	case priced && twofold.MatchString(s): // no price has three decimals, but which sign they group by is the country's affair
		return "", false
	case decimal.MatchString(s):
	case powered.MatchString(s): // as programs write them
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return "", false
		}
		return floatNumber(f)
	case german.MatchString(s):
		s = strings.Replace(strings.ReplaceAll(s, ".", ""), ",", ".", 1)
	case english.MatchString(s):
		s = strings.ReplaceAll(s, ",", "")
	case spaced.MatchString(s):
		s = strings.NewReplacer(" ", "", "\u00a0", "", "\u2009", "", "\u202f", "", "'", "", "’", "", ",", ".").Replace(s)
	default:
		return "", false
	}
	return plainNumber(s), true
}

// plainNumber writes a decimal as JSON has it, without a plus and leading zeros.
func plainNumber(s string) json.Number {
	s = strings.TrimPrefix(s, "+")
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	s = strings.TrimLeft(s, "0")
	if s == "" || s[0] == '.' {
		s = "0" + s
	}
	return json.Number(sign + s)
}

func floatNumber(f float64) (json.Number, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return "", false
	}
	return json.Number(strconv.FormatFloat(f, 'f', -1, 64)), true
}

package sandbox

import "strings"

// countryCodes are the calling codes that nationalDigits takes off, as many as
// the sandbox needs to behave like HubSpot for its users' numbers.
var countryCodes = strings.Fields(`1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58
60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98
212 213 216 218 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 377 378 380 381 382 383 385 386 387 389
420 421 423 852 886 961 962 963 964 965 966 968 971 972 973 974 995`)

// nationalDigits is what HubSpot's searchable copy of a phone number holds: the
// area code and local number, without country code and trunk zero.
func nationalDigits(phone string) string {
	phone = strings.TrimSpace(phone)
	international := strings.HasPrefix(phone, "+")
	// "+49 (0)30 …" writes the trunk zero only for people at home.
	digits := onlyDigits(strings.Replace(phone, "(0)", "", 1))
	if rest, ok := strings.CutPrefix(digits, "00"); ok && !international {
		digits, international = rest, true
	}
	if !international {
		return strings.TrimPrefix(digits, "0")
	}
	for n := 3; n >= 1; n-- {
		for _, code := range countryCodes {
			if len(code) == n && strings.HasPrefix(digits, code) {
				return strings.TrimPrefix(digits[n:], "0")
			}
		}
	}
	return digits
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

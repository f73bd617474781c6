package salesforce

import "strings"

// The first three characters of an id say what kind of record it is of.
const (
	leadPrefix    = "00Q"
	contactPrefix = "003"
)

// longID gives an id of 15 or 18 characters as the 18 that the API answers.
// It is false for what can be no id: the API refuses whole queries for it.
func longID(id string) (string, bool) {
	if len(id) != 15 && len(id) != 18 {
		return "", false
	}
	for _, c := range id {
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z') {
			return "", false
		}
	}
	// The last three characters hold, in groups of five, which of the others
	// are capital letters.
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	full := id[:15]
	for group := range 3 {
		bits := 0
		for i := range 5 {
			if c := id[group*5+i]; c >= 'A' && c <= 'Z' {
				bits |= 1 << i
			}
		}
		full += string(letters[bits])
	}
	if len(id) == 18 && !strings.EqualFold(id, full) {
		return "", false
	}
	return full, true
}

func isContact(id string) bool { return strings.HasPrefix(id, contactPrefix) }

func isLead(id string) bool { return strings.HasPrefix(id, leadPrefix) }

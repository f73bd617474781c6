package connectors

import (
	"strings"
	"time"
)

// CodeNoUser is the code of errors about an e-mail address that is no user's of
// the account.
const CodeNoUser = "NO_SUCH_OWNER"

// FirstUser gives the id of the user that a value means: an id, or an e-mail
// address, for which find answers the id or CodeNoUser. Of a list the first
// that is a user counts, so that a rule can name a fallback. Where there is
// nothing but empty text the id is "".
func FirstUser(f Field, v Value, isID func(string) bool, find func(email string) (string, *Error)) (string, *Error) {
	var unknown *Error
	for _, one := range AsList(v) {
		s, ok := AsText(one, time.UTC)
		s = strings.TrimSpace(s)
		switch {
		case !ok:
			return "", Wrong(f, v, "a user's e-mail address or id")
		case s == "":
			continue
		case isID(s):
			return s, nil
		case !strings.Contains(s, "@"):
			return "", Wrong(f, v, "a user's e-mail address or id")
		}
		id, err := find(s)
		if err == nil || err.Code != CodeNoUser {
			return id, err
		}
		unknown = err
	}
	return "", unknown
}

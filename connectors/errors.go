package connectors

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Kind says what an error means to the deliverer.
type Kind int

// The kinds of errors. Connectors classify, the deliverer acts.
const (
	// Transient: not applied, or safe to repeat; try again later.
	Transient Kind = iota
	// RateLimited: not applied; the account must wait.
	RateLimited
	// Auth: credentials or permissions; the connector parks until they are mended.
	Auth
	// Invalid: this change will never be accepted as it is.
	Invalid
	// NotFound: the record with that ID is gone.
	NotFound
	// Ambiguous: several records match.
	Ambiguous
	// Conflict: another record has the unique value; IDs names it if known.
	Conflict
	// Unknown: the request may or may not have been applied and is not safe
	// to repeat without looking.
	Unknown
)

// String names the kind as metrics and listings show it.
func (k Kind) String() string {
	switch k {
	case Transient:
		return "transient"
	case RateLimited:
		return "rate_limited"
	case Auth:
		return "auth"
	case Invalid:
		return "invalid"
	case NotFound:
		return "not_found"
	case Ambiguous:
		return "ambiguous"
	case Conflict:
		return "conflict"
	case Unknown:
		return "unknown"
	}
	return fmt.Sprintf("kind %d", int(k))
}

// Error is what went wrong at a CRM. It never holds a customer's data, a
// secret, or the vendor's reply body.
type Error struct {
	Kind    Kind
	Code    string        // the vendor's code, such as PROPERTY_DOESNT_EXIST
	Field   string        // the field concerned, if known
	Message string        // for people: what is wrong and what to do
	IDs     []string      // records concerned: Ambiguous, Conflict
	Wait    time.Duration // at least so long before the next try; 0: not said
	Account bool          // concerns the whole account, not this change: pause the connector
	Park    bool          // with Account: for hours, not seconds (month or day exhausted)
	Err     error         // cause, if any
}

// Error gives kind, field, code and message.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(e.Kind.String(), "_", " "))
	if e.Field != "" {
		fmt.Fprintf(&b, ": field %q", e.Field)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	} else if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Code != "" {
		b.WriteString(" (" + e.Code + ")")
	}
	if len(e.IDs) > 0 {
		b.WriteString(": records " + strings.Join(e.IDs, ", "))
	}
	return b.String()
}

// Codes of errors of a change that an earlier attempt may have made, and that
// cannot be looked for, now or ever.
const (
	CodeNoKey   = "NO_KEY"          // it has nothing by which to find it
	CodeTooMany = "TOO_MANY"        // there is too much to look through
	CodeUnseen  = "CALL_LOG_UNSEEN" // the account does not list it
)

// Unseekable reports whether e says that a record cannot be looked for which an
// earlier attempt may have made.
func (e *Error) Unseekable() bool {
	switch e.Code {
	case CodeNoKey, CodeTooMany, CodeUnseen:
		return true
	}
	return false
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

var vendorCode = regexp.MustCompile(`^[A-Z0-9_]{1,64}$`)

// VendorCode gives a code from a vendor's answer if it looks like one, else
// "": an answer may hold anything, also a customer's data.
func VendorCode(s string) string {
	if vendorCode.MatchString(s) {
		return s
	}
	return ""
}

// AsError returns err as an *Error; other errors, such as a cancelled context,
// become Transient.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Kind: Transient, Err: err}
}

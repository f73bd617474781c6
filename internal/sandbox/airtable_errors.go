package sandbox

import (
	"fmt"
	"net/http"
)

// atError is an error as Airtable words it. It has three shapes: an object
// below "error", a bare word there, and a list below "errors" for rate limits.
type atError struct {
	status  int
	typ     string
	message string
	bare    bool
	list    bool
}

func (e *atError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.typ, e.message) }

func atErr(status int, typ, format string, args ...any) *atError {
	return &atError{status: status, typ: typ, message: fmt.Sprintf(format, args...)}
}

func (e *atError) answer() answer {
	switch {
	case e.bare:
		return jsonAnswer(e.status, map[string]string{"error": e.typ})
	case e.list:
		return jsonAnswer(e.status, map[string]any{"errors": []map[string]string{{"error": e.typ, "message": e.message}}})
	default:
		return jsonAnswer(e.status, map[string]any{"error": map[string]string{"type": e.typ, "message": e.message}})
	}
}

func atNotFound() *atError {
	return &atError{status: http.StatusNotFound, typ: "NOT_FOUND", bare: true}
}

// atNoModel is for what does not exist and for what the token may not see: they
// look the same.
func atNoModel() *atError {
	return atErr(http.StatusForbidden, "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND",
		"Invalid permissions, or the requested model was not found. Check that both your user and your token have the required permissions, and that the model names and/or ids are correct.")
}

func atInvalid(typ, format string, args ...any) *atError {
	return atErr(http.StatusUnprocessableEntity, typ, format, args...)
}

func atBadBody(err error) *atError {
	return atInvalid("INVALID_REQUEST_UNKNOWN", "Invalid request: parameter validation failed. Check your request data. (%s)", err)
}

const atBilling = "PUBLIC_API_BILLING_LIMIT_EXCEEDED"

// atRateLimited is the burst limit, or the month's end where typ says so.
func atRateLimited(typ string) *atError {
	e := &atError{status: http.StatusTooManyRequests, typ: orElse(typ, "RATE_LIMIT_REACHED"), list: true}
	e.message = "Rate limit exceeded. Please try again later"
	if e.typ == atBilling {
		e.message = "The API call limit of this workspace's plan is used up for this month"
	}
	return e
}

// fault is Airtable's body for a status that a test asked for.
func (a *airtable) fault(c *call, status int, word string) answer {
	if refusal, ok := a.oauth.fault(c, status, word); ok {
		return refusal
	}
	switch {
	case status == http.StatusTooManyRequests:
		return atRateLimited(word).answer()
	case status == http.StatusUnauthorized:
		return atErr(status, "AUTHENTICATION_REQUIRED", "Authentication required").answer()
	case status == http.StatusForbidden:
		return atNoModel().answer()
	case status == http.StatusNotFound:
		return atNotFound().answer()
	case status == http.StatusRequestEntityTooLarge:
		return atErr(status, "REQUEST_TOO_LARGE", "The request is too large").answer()
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout, status > 520:
		return htmlAnswer(status)
	case status == http.StatusServiceUnavailable:
		return atErr(status, "SERVICE_UNAVAILABLE", "The server could not process your request in time").answer()
	case status >= 500:
		return atErr(status, "SERVER_ERROR", "Internal server error").answer()
	default:
		return atErr(status, orElse(word, "INVALID_REQUEST_UNKNOWN"), "Invalid request: parameter validation failed. Check your request data.").answer()
	}
}

// atPartial is how the fault "partial" looks here: writes are all or nothing, so
// the one bad record takes the others with it.
func atPartial(f *Fault) *atError {
	if f.Status != 0 {
		return atErr(f.Status, "INVALID_RECORDS", "A record of the request was not valid")
	}
	return atInvalid("INVALID_RECORDS", "A record of the request was not valid")
}

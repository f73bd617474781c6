package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// hsError is an error as HubSpot words it. It is never nil inside an error value.
type hsError struct {
	status   int
	category string
	message  string
	sub      string
	context  map[string][]string
	details  []map[string]any
	policy   string // rate limits only
	header   http.Header
}

func (e *hsError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.category, e.message) }

func hsErr(status int, category, format string, args ...any) *hsError {
	return &hsError{status: status, category: category, message: fmt.Sprintf(format, args...)}
}

func hsInvalid(format string, args ...any) *hsError {
	return hsErr(http.StatusBadRequest, "VALIDATION_ERROR", format, args...)
}

func (e *hsError) answer() answer {
	body := map[string]any{"status": "error", "message": e.message, "correlationId": newUUID()}
	switch {
	case e.policy != "":
		// A rate limit has errorType instead of category, in the samples in circulation.
		body["errorType"], body["policyName"], body["requestId"] = "RATE_LIMIT", e.policy, newUUID()
	case e.category != "":
		body["category"] = e.category
	}
	if e.sub != "" {
		body["subCategory"] = e.sub
	}
	if e.context != nil {
		body["context"] = e.context
	}
	if e.details != nil {
		body["errors"] = e.details
	}
	a := jsonAnswer(e.status, body)
	a.header = e.header
	return a
}

// inBatch is the error as one entry of a multi-status answer.
func (e *hsError) inBatch(trace string) map[string]any {
	context := map[string][]string{}
	for k, v := range e.context {
		context[k] = v
	}
	if trace != "" {
		context["objectWriteTraceId"] = []string{trace}
	}
	return map[string]any{"status": "error", "category": e.category, "message": e.message, "context": context}
}

func hsUnauthorized(c *call) *hsError {
	if c.header.Get("Authorization") == "" {
		return hsErr(http.StatusUnauthorized, "INVALID_AUTHENTICATION",
			"Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview")
	}
	return hsErr(http.StatusUnauthorized, "INVALID_AUTHENTICATION", "The access token is invalid or expired.")
}

func hsRateLimited(policy string) *hsError {
	word := map[string]string{"DAILY": "daily", "SECONDLY": "secondly"}[policy]
	if word == "" {
		word = "ten_secondly_rolling"
	}
	return &hsError{status: http.StatusTooManyRequests, message: "You have reached your " + word + " limit.", policy: policy}
}

func hsNotFoundPath() *hsError {
	return &hsError{status: http.StatusNotFound, message: "resource not found"}
}

func hsWrongMethod() *hsError {
	return hsErr(http.StatusMethodNotAllowed, "", "HTTP 405 Method Not Allowed")
}

func hsNoObjectType(name string) *hsError {
	return hsInvalid("Unable to infer object type from: %s", name)
}

func hsNoRecord(id string) *hsError {
	e := hsErr(http.StatusNotFound, "OBJECT_NOT_FOUND", "Object not found.  objectId are usually numeric.")
	e.context = map[string][]string{"id": {id}}
	return e
}

// hsProblem is one property value that was refused.
type hsProblem struct {
	Valid     bool   `json:"isValid"`
	Message   string `json:"message"`
	Code      string `json:"error"`
	Name      string `json:"name"`
	Localized string `json:"localizedErrorMessage"`
	PortalID  int    `json:"portalId"`
}

func newProblem(name, code, format string, args ...any) hsProblem {
	text := fmt.Sprintf(format, args...)
	return hsProblem{Message: text, Code: code, Name: name, Localized: text, PortalID: 146425426}
}

// hsBadValues puts the details as JSON inside the message, as HubSpot does.
func hsBadValues(problems []hsProblem) *hsError {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(problems) // plain values
	return hsInvalid("Property values were not valid: %s", strings.TrimSpace(b.String()))
}

func hsContactExists(id string) *hsError {
	if id == "" { // of the same batch, which has no ids yet
		return hsErr(http.StatusConflict, "CONFLICT", "Contact already exists.")
	}
	return hsErr(http.StatusConflict, "CONFLICT", "Contact already exists. Existing ID: %s", id)
}

// fault is HubSpot's body for a status that a test asked for. Errors of its edge
// are pages, not JSON.
func (h *hubspot) fault(c *call, status int, word string) answer {
	if a, ok := h.oauth.fault(c, status, word); ok {
		return a
	}
	switch {
	case status == http.StatusTooManyRequests:
		if word == "" && strings.HasSuffix(c.path, "/search") {
			word = "SECONDLY"
		} else if word == "" {
			word = "TEN_SECONDLY_ROLLING"
		}
		return hsRateLimited(word).answer()
	case status == http.StatusUnauthorized:
		return hsErr(status, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired.").answer()
	case status == http.StatusForbidden:
		e := hsErr(status, "MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call.")
		return e.answer()
	case status == http.StatusNotFound:
		return hsNotFoundPath().answer()
	case status == 423:
		return hsErr(status, "LOCKED", "The resource is locked by another update. Wait at least two seconds.").answer()
	case status == 477:
		a := hsErr(status, "MIGRATION_IN_PROGRESS", "This account is being moved between data centres.").answer()
		a.header = http.Header{"Retry-After": {"5"}}
		return a
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout, status > 520:
		return htmlAnswer(status)
	case status >= 500:
		return hsErr(status, "INTERNAL_ERROR", "internal error").answer()
	case status == http.StatusConflict:
		return hsErr(status, "CONFLICT", "The write conflicts with another one.").answer()
	default:
		return hsErr(status, orElse(word, "VALIDATION_ERROR"), "Invalid request.").answer()
	}
}

func orElse(s, or string) string {
	if s == "" {
		return or
	}
	return s
}

// hsPartial is how the fault "partial" fails one input. With trace ids the
// default is an error that passes; Status chooses another.
func hsPartial(f *Fault, traced bool) *hsError {
	switch {
	case f.Status == http.StatusConflict:
		return hsErr(f.Status, "CONFLICT", "The write conflicts with another one.")
	case f.Status >= 400 && f.Status < 500, f.Status == 0 && !traced:
		return hsErr(http.StatusBadRequest, "VALIDATION_ERROR", "An input of the batch was not valid.")
	case f.Status != 0:
		return hsErr(f.Status, "INTERNAL_ERROR", "internal error")
	default:
		return hsErr(http.StatusInternalServerError, "INTERNAL_ERROR", "internal error")
	}
}

package sandbox

import (
	"fmt"
	"net/http"
)

// pdErr is an error as Pipedrive words it.
type pdErr struct {
	status  int
	message string
	code    string
}

func (e *pdErr) Error() string { return e.message }

const pdErrorInfo = "Please check developers.pipedrive.com for more information about Pipedrive API."

func pdError(status int, format string, args ...any) *pdErr {
	return &pdErr{status: status, message: fmt.Sprintf(format, args...)}
}

func pdInvalid(format string, args ...any) *pdErr {
	return pdError(http.StatusBadRequest, format, args...)
}

func pdUnknownPath() *pdErr { return pdError(http.StatusNotFound, "Unknown method .") }

func pdWrongMethod() *pdErr { return pdError(http.StatusMethodNotAllowed, "Method Not Allowed") }

func (e *pdErr) answer() answer {
	body := map[string]any{"success": false, "error": e.message, "error_info": pdErrorInfo, "data": nil, "additional_data": nil}
	if e.code != "" {
		body["code"] = e.code
	}
	return jsonAnswer(e.status, body)
}

// pdData is a success with what belongs to it.
func pdData(status int, data any, additional map[string]any) answer {
	body := map[string]any{"success": true, "data": data}
	if additional != nil {
		body["additional_data"] = additional
	}
	return jsonAnswer(status, body)
}

// fault is Pipedrive's body for a status that a test asked for. The words
// "daily" and "edge" ask for a used-up day and for Cloudflare's page.
func (p *pipedrive) fault(c *call, status int, word string) answer {
	if a, ok := p.oauth.fault(c, status, word); ok {
		return a
	}
	switch {
	case status == http.StatusTooManyRequests:
		a := p.limitHeaders(pdError(status, "request over limit").answer())
		if word == "daily" {
			a.header.Set("X-Ratelimit-Remaining", "17")
		} else {
			a.header.Set("X-Ratelimit-Remaining", "0")
		}
		return a
	case status == http.StatusForbidden && word == "edge", status == http.StatusBadGateway, status == http.StatusGatewayTimeout, status > 520:
		return htmlAnswer(status)
	case status == http.StatusUnauthorized:
		return pdError(status, "unauthorized access").answer()
	case status == http.StatusPaymentRequired:
		return pdError(status, "Payment required").answer()
	case status == http.StatusForbidden && word != "":
		return (&pdErr{status: status, message: "Couldn't add the deal. Open deals limit reached.", code: word}).answer()
	case status == http.StatusForbidden:
		return pdError(status, "Scope and URL mismatch").answer()
	case status == http.StatusNotFound, status == http.StatusGone:
		return pdError(status, "%s", orElse(word, "Person not found")).answer()
	case status >= 500:
		return pdError(status, "Internal server error").answer()
	default:
		return pdError(status, "%s", orElse(word, "Bad request")).answer()
	}
}

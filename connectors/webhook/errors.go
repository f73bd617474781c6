package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const refusedAddress = httpx.Refusal("the address of url is a private one; set allow_private if it is meant")

// unsaid is how long the receiver is left alone after a 429 that names no time.
const unsaid = 10 * time.Second

// classify says what an answer that is no success means. What concerns the
// address as a whole holds up the connector, and no delivery dies of it: a
// workflow that is switched off for an hour must not lose that hour.
func (c *Connector) classify(r *httpx.Response) *connectors.Error {
	e := &connectors.Error{Code: fmt.Sprintf("HTTP_%d", r.Status), Wait: r.RetryAfter(), Message: fmt.Sprintf("%s answered %d", c.host, r.Status)}
	switch {
	case r.Status == http.StatusGone:
		e.Kind, e.Account, e.Park = connectors.Auth, true, true
		e.Message += ": the receiver wants no more at this address; take a new one, or the rule out"
	case r.Status == http.StatusUnauthorized, r.Status == http.StatusPaymentRequired, r.Status == http.StatusForbidden, r.Status == http.StatusProxyAuthRequired:
		e.Kind, e.Account = connectors.Auth, true
		e.Message += ": are url, signing_secret and headers what the receiver expects?"
	case r.Status == http.StatusNotFound, r.Status == http.StatusMethodNotAllowed:
		e.Kind, e.Account, e.Park = connectors.Transient, true, true
		e.Message += ": is url right, and the workflow behind it switched on?"
	case r.Status >= 300 && r.Status < 400:
		e.Kind, e.Account, e.Park = connectors.Transient, true, true
		e.Message += ", a redirect, which is not followed; set url to where it leads"
	case r.Status == http.StatusTooManyRequests:
		e.Kind, e.Account = connectors.RateLimited, true
		if e.Wait == 0 {
			e.Wait = unsaid
		}
		e.Message += ": too many requests; lower requests_per_second if it stays"
	case r.Status == http.StatusRequestTimeout, r.Status == http.StatusTooEarly, r.Status >= 500, r.Status < 200:
		e.Kind = connectors.Transient
	default:
		e.Kind = connectors.Invalid
		e.Message += ": it does not want this record as it is"
	}
	return e
}

// noAnswer classifies a request without an answer; it may be repeated, as its
// id stays. The error itself would name the path, which may be a secret.
func (c *Connector) noAnswer(err error) *connectors.Error {
	what := "no answer"
	var cause error
	if failed, ok := errors.AsType[*httpx.Error](err); ok {
		what, cause = failed.What, failed.Unwrap() // a context's, or nil
		if failed.Refused {
			return &connectors.Error{Kind: connectors.Transient, Account: true, Park: true, Code: "PRIVATE_ADDRESS", Message: what}
		}
	}
	return &connectors.Error{Kind: connectors.Transient, Code: "NO_ANSWER", Message: c.host + ": " + what, Err: cause}
}

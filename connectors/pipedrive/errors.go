package pipedrive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const (
	codeNoObject = "NO_SUCH_OBJECT"
	codeNoField  = "NO_SUCH_FIELD"
	codeBurst    = "BURST_LIMIT"
	codeDay      = "DAILY_LIMIT"
	codeTarget   = "LINK_TARGET_GONE"
	codeAttached = "ATTACHED" // a call log has a recording already
)

// dayIsUsedUp tells the company's used-up day from a burst. Pipedrive documents
// neither a body nor a header for it, so everything is taken that can only
// mean the day: a counter at zero, a long wait, the word, or a burst that has
// room left.
func dayIsUsedUp(r *httpx.Response, body wireError) bool {
	if left := r.Header.Get("X-Daily-Requests-Left"); left != "" {
		n, err := strconv.Atoi(left)
		return err == nil && n <= 0
	}
	if r.RetryAfter() > refusedLong || strings.Contains(strings.ToLower(body.Error), "daily") {
		return true
	}
	left, err := strconv.Atoi(r.Header.Get("X-Ratelimit-Remaining"))
	return err == nil && left > 0
}

// refusedFor is how long the account must wait after a 429.
func refusedFor(r *httpx.Response) time.Duration {
	var body wireError
	_ = json.Unmarshal(r.Body, &body) // an edge's page has nothing to say
	if dayIsUsedUp(r, body) {
		return dayWait
	}
	if s, err := strconv.ParseFloat(r.Header.Get("X-Ratelimit-Reset"), 64); err == nil && s > 0 && s <= refusedLong.Seconds() {
		return time.Duration(s * float64(time.Second))
	}
	return burstSpan
}

func usedUp(e *connectors.Error) {
	e.Code, e.Park, e.Wait = codeDay, true, max(e.Wait, dayWait)
	e.Message = "the company's tokens for today are used up; they come back at midnight in Pipedrive's time zone"
}

// classify says what an answer from 300 on means.
func classify(r *httpx.Response, repeatable bool) *connectors.Error {
	var body wireError
	_ = json.Unmarshal(r.Body, &body) // errors of the edge are pages, not JSON
	page := body.Success == nil && body.Error == ""
	e := &connectors.Error{Code: connectors.VendorCode(strings.ToUpper(body.Code)), Wait: r.RetryAfter(), Message: fmt.Sprintf("Pipedrive answered %d", r.Status)}
	switch {
	case r.Status == http.StatusTooManyRequests:
		e.Kind, e.Account, e.Code, e.Message = connectors.RateLimited, true, codeBurst, "Pipedrive's rate limit is used up"
		e.Wait = max(e.Wait, refusedFor(r))
		if dayIsUsedUp(r, body) {
			usedUp(e)
		}
	case r.Status == http.StatusUnauthorized:
		e.Kind, e.Account, e.Message = connectors.Auth, true, "Pipedrive does not accept the API token"
	case r.Status == http.StatusPaymentRequired:
		e.Kind, e.Account, e.Message = connectors.Auth, true, "the Pipedrive company is closed or not paid for"
	case r.Status == http.StatusForbidden && page:
		// Who goes on after many refusals is shut out by Cloudflare, with a page.
		e.Kind, e.Account, e.Park, e.Wait = connectors.RateLimited, true, true, max(e.Wait, dayWait)
		e.Code, e.Message = "SHUT_OUT", "Pipedrive's edge shuts crmsyncd out, as it does after too many requests"
	case r.Status == http.StatusForbidden && strings.HasPrefix(body.Code, "feature_capping"):
		e.Kind, e.Message = connectors.Invalid, "the Pipedrive plan allows no more of these"
	case r.Status == http.StatusForbidden:
		e.Kind, e.Account, e.Message = connectors.Auth, true, "the user of the API token lacks a permission for this"
	case r.Status == http.StatusNotFound && (page || strings.HasPrefix(body.Error, "Unknown method")):
		// Nothing about this record: the others would fare no better.
		e.Kind, e.Account, e.Park, e.Message = connectors.Transient, true, true, "Pipedrive has no such path; is base_url right?"
	case r.Status == http.StatusConflict: // which only recordings answer (OpenAPI, 2026-11)
		e.Kind, e.Code, e.Message = connectors.Conflict, codeAttached, "the call log has a recording already"
	case r.Status == http.StatusNotFound, r.Status == http.StatusGone:
		e.Kind, e.Message = connectors.NotFound, "no such record; it was deleted or merged"
	case r.Status >= 500:
		e.Kind = connectors.ServerFault(r.Status, repeatable)
	case r.Status >= 300 && r.Status < 400:
		e.Kind, e.Account, e.Park, e.Message = connectors.Transient, true, true, "Pipedrive redirects; is base_url right?"
	default:
		e.Kind, e.Message = connectors.Invalid, "Pipedrive does not accept a value"
		e.Field = fieldIn(body.Error)
		if strings.Contains(strings.ToLower(body.Error), "required") {
			e.Message = "Pipedrive misses a required field"
		}
	}
	return e
}

var quotedField = regexp.MustCompile(`["'` + "`" + `]([a-z][a-z_]{1,39}|[0-9a-f]{40})["'` + "`" + `]`)

// fieldIn finds the field that a message names. The message itself may hold
// values, so it is not passed on, nor is a name that the object does not have.
func fieldIn(message string) string {
	if m := quotedField.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	return ""
}

func noAnswer(err error, repeatable bool) *connectors.Error {
	return connectors.NoAnswer(err, sent(err), repeatable)
}

// sent tells whether a request without an answer, or a part of it, went out.
func sent(err error) bool {
	var e *httpx.Error
	return !errors.As(err, &e) || e.Written
}

// decode reads an answer that Pipedrive says is a success.
func decode(body []byte, into any, repeatable bool) *connectors.Error {
	if into == nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(into) == nil {
		return nil
	}
	e := &connectors.Error{Kind: connectors.Transient, Code: "UNREADABLE", Message: "Pipedrive's answer cannot be read"}
	if !repeatable {
		e.Kind = connectors.Unknown
	}
	return e
}

func ambiguous(records []connectors.Record) *connectors.Error {
	e := &connectors.Error{Kind: connectors.Ambiguous, Message: "several records match"}
	for _, r := range records {
		e.IDs = append(e.IDs, r.ID)
	}
	return e
}

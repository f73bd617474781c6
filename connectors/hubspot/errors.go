package hubspot

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const (
	codeNoProperty = "PROPERTY_DOESNT_EXIST"
	codeNoObject   = "NO_SUCH_OBJECT"
	codeNotUnique  = "CONFLICTING_UNIQUE_VALUE"
)

// policies of HubSpot's rate limits and their lengths (error handling guide
// and the official clients, 2026-11).
const (
	secondly = "SECONDLY"
	daily    = "DAILY"
)

// policyOf reads the limit that was hit; the message names it where
// policyName is absent.
func policyOf(e wireError) string {
	switch {
	case e.PolicyName != "":
		return e.PolicyName
	case strings.Contains(e.Message, "daily"):
		return daily
	case strings.Contains(e.Message, " secondly"):
		return secondly
	}
	return "TEN_SECONDLY_ROLLING"
}

// refusedFor is how long the account must wait after a 429: HubSpot sends no
// Retry-After.
func refusedFor(r *httpx.Response) time.Duration {
	var e wireError
	_ = json.Unmarshal(r.Body, &e) // an edge's page has no policy
	switch policyOf(e) {
	case secondly:
		return time.Second
	case daily:
		return time.Hour
	}
	return 10 * time.Second
}

// classify says what an answer from 300 on means.
func classify(r *httpx.Response, repeatable bool) *connectors.Error {
	var body wireError
	_ = json.Unmarshal(r.Body, &body) // errors of the edge are pages, not JSON
	e := &connectors.Error{Code: connectors.VendorCode(body.Category), Wait: r.RetryAfter(), Message: fmt.Sprintf("HubSpot answered %d", r.Status)}
	switch {
	case r.Status == 429:
		e.Kind, e.Account, e.Code = connectors.RateLimited, true, connectors.VendorCode(policyOf(body))
		e.Park = e.Code == daily
		if e.Wait == 0 {
			e.Wait = refusedFor(r)
		}
		e.Message = "HubSpot's rate limit is used up"
		if e.Park {
			e.Message = "the account's calls for today are used up; they come back at midnight in the account's time zone"
		}
	case r.Status == 477: // the account moves between data centres, for up to a day
		e.Kind, e.Account, e.Park = connectors.RateLimited, true, true
		e.Message = "HubSpot is moving this account"
	case r.Status == 401:
		e.Kind, e.Account = connectors.Auth, true
		e.Message = "HubSpot does not accept the access token"
	case r.Status == 403:
		e.Kind, e.Account = connectors.Auth, true
		e.Message = "the access token lacks a scope for this"
	case r.Status == 404 && body.Category == "OBJECT_NOT_FOUND":
		e.Kind, e.Message = connectors.NotFound, "no such record"
	case r.Status == 404 && body.Category+body.Message != "":
		e.Kind, e.Message = connectors.Invalid, "HubSpot has no such path or object"
	case r.Status == 404:
		// Nothing about this record: the others would fare no better.
		e.Kind, e.Account, e.Park, e.Message = connectors.Transient, true, true, "HubSpot has no such path; is base_url right?"
	case r.Status == 409:
		conflict(e, body)
	case r.Status == 423:
		e.Kind, e.Wait = connectors.Transient, max(e.Wait, 2*time.Second)
		e.Message = "another update holds the record"
	case r.Status >= 522 && r.Status != 523 && r.Status != 524:
		e.Kind, e.Wait = connectors.ServerFault(r.Status, repeatable), max(e.Wait, time.Minute)
	case r.Status >= 500:
		e.Kind = connectors.ServerFault(r.Status, repeatable)
	case r.Status >= 300 && r.Status < 400:
		e.Kind, e.Account, e.Park, e.Message = connectors.Transient, true, true, "HubSpot redirects; is base_url right?"
	default:
		invalid(e, body)
	}
	return e
}

// classifyInput says what an entry of a multi-status answer means. Such an
// input was not applied.
func classifyInput(body wireError) *connectors.Error {
	e := &connectors.Error{Code: connectors.VendorCode(body.Category)}
	switch body.Category {
	case "CONFLICT":
		conflict(e, body)
	case "OBJECT_NOT_FOUND":
		e.Kind, e.Message = connectors.NotFound, "no such record"
	case "VALIDATION_ERROR", "":
		invalid(e, body)
	case "RATE_LIMITS", "RATE_LIMIT":
		e.Kind, e.Wait = connectors.RateLimited, 10*time.Second
	case "MISSING_SCOPES", "PERMISSIONS_DENIED", "FORBIDDEN":
		e.Kind, e.Account, e.Message = connectors.Auth, true, "the access token lacks a scope for this"
	default:
		e.Kind, e.Message = connectors.Transient, "HubSpot did not take this record of a batch"
	}
	return e
}

var (
	existingID   = regexp.MustCompile(`Existing ID: *([0-9]+)`)
	badValues    = regexp.MustCompile(`(?s)not valid: *(\[.*\])`)
	propertyName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]{0,99}$`)
	propertyIn   = regexp.MustCompile(`[Pp]roperty "?([A-Za-z0-9_]{1,100})"? `)
)

func conflict(e *connectors.Error, body wireError) {
	e.Kind, e.Message = connectors.Conflict, "another record has this value already"
	// The id stands only in the text.
	if m := existingID.FindStringSubmatch(body.Message); m != nil {
		e.IDs = []string{m[1]}
	}
}

// invalid finds field and code: in errors[], or as JSON within the message.
// The message itself holds values, so it is not passed on.
func invalid(e *connectors.Error, body wireError) {
	e.Kind, e.Message = connectors.Invalid, "HubSpot does not accept a value"
	if existingID.MatchString(body.Message) {
		conflict(e, body)
		return
	}
	if m := badValues.FindStringSubmatch(body.Message); m != nil {
		var list []refused
		if json.Unmarshal([]byte(m[1]), &list) == nil && len(list) > 0 {
			e.Field, e.Code = list[0].Name, list[0].Error
		}
	}
	for _, d := range body.Errors {
		if e.Field == "" {
			e.Field = first(d.Context["propertyName"])
			if d.Code != "" {
				e.Code = d.Code
			}
		}
	}
	if m := propertyIn.FindStringSubmatch(body.Message); m != nil && e.Field == "" {
		e.Field = m[1]
	}
	e.Code = connectors.VendorCode(e.Code)
	if !propertyName.MatchString(e.Field) {
		e.Field = ""
	}
	switch {
	case e.Code == codeNoProperty:
		e.Message = "HubSpot has no such property"
	case e.Code == codeNotUnique:
		e.Message = "another record has this value already"
	case strings.Contains(body.Message, "infer object type"):
		e.Code, e.Message = codeNoObject, "HubSpot has no such object"
	case strings.Contains(strings.ToLower(body.Message), "required"):
		e.Message = "HubSpot misses a required property"
	}
}

// first is the text, or the first text of the list, in a context's entry.
func first(raw json.RawMessage) string {
	if list := texts(raw); len(list) > 0 {
		return list[0]
	}
	return ""
}

// texts are the text, or those of the list, in a context's entry.
func texts(raw json.RawMessage) []string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return []string{s}
	}
	return nil
}

func noAnswer(err error, repeatable bool) *connectors.Error {
	var e *httpx.Error
	written := !errors.As(err, &e) || e.Written
	return connectors.NoAnswer(err, written, repeatable)
}

// decode reads an answer that HubSpot says is a success.
func decode(body []byte, into any, repeatable bool) *connectors.Error {
	if into == nil {
		return nil
	}
	if json.Unmarshal(body, into) == nil {
		return nil
	}
	e := &connectors.Error{Kind: connectors.Transient, Code: "UNREADABLE", Message: "HubSpot's answer cannot be read"}
	if !repeatable {
		e.Kind = connectors.Unknown
	}
	return e
}

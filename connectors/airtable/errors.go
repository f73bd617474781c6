package airtable

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const (
	billing  = "PUBLIC_API_BILLING_LIMIT_EXCEEDED"
	noPages  = "LIST_RECORDS_ITERATOR_NOT_AVAILABLE"
	noRow    = "ROW_DOES_NOT_EXIST"
	noTarget = "LINK_TARGET_GONE"
)

// fieldIn finds the field that a message names. The message itself may hold
// values, so it is not passed on.
var fieldIn = regexp.MustCompile(`[Ff]ield (?:name: )?"([^"]{1,200})"`)

// classify says what an answer from 300 on means.
func classify(r *httpx.Response, repeatable bool) *connectors.Error {
	var body wireError
	_ = json.Unmarshal(r.Body, &body) // errors of the edge are pages, not JSON
	e := &connectors.Error{Code: connectors.VendorCode(body.Type), Wait: r.RetryAfter(), Message: fmt.Sprintf("Airtable answered %d", r.Status)}
	switch {
	case r.Status == 429 && body.Type == billing:
		e.Kind, e.Account, e.Park = connectors.RateLimited, true, true
		e.Message = "the workspace's API calls for this month are used up"
	case r.Status == 429:
		e.Kind, e.Account, e.Wait = connectors.RateLimited, true, max(e.Wait, burstWait)
		e.Message = "the base's rate limit was exceeded"
	case r.Status == 401:
		e.Kind, e.Account = connectors.Auth, true
		e.Message = "Airtable does not accept the access token"
	case r.Status == 403:
		e.Kind, e.Account = connectors.Auth, true
		e.Message = "the access token may not do this, or the base or table is not there"
	case r.Status == 404 && body.Type == "":
		// Nothing about this row: the others would fare no better.
		e.Kind, e.Account, e.Park, e.Message = connectors.Transient, true, true, "Airtable has no such path; is base_url right?"
	case r.Status == 404:
		e.Kind, e.Message = connectors.NotFound, "Airtable does not find the base, table or record"
	case r.Status == 413:
		e.Kind, e.Message = connectors.Invalid, "the request is too large for Airtable"
	case r.Status >= 500:
		e.Kind = connectors.ServerFault(r.Status, repeatable)
	case r.Status < 400:
		e.Kind, e.Account, e.Park, e.Message = connectors.Transient, true, true, "Airtable redirects; is base_url right?"
	case body.Type == noPages: // what is looked for goes on over several pages, which Airtable keeps for a while
		e.Kind, e.Message = connectors.Transient, "Airtable does not know the next page any more; it is asked anew"
	default:
		invalid(e, body)
	}
	return e
}

func invalid(e *connectors.Error, body wireError) {
	e.Kind, e.Message = connectors.Invalid, "Airtable does not accept the record"
	if m := fieldIn.FindStringSubmatch(body.Message); m != nil {
		e.Field = m[1]
	}
	switch body.Type {
	case "UNKNOWN_FIELD_NAME":
		e.Message = "the table has no such field"
	case "INVALID_VALUE_FOR_COLUMN":
		e.Message = "Airtable does not accept the value"
	case "INVALID_MULTIPLE_CHOICE_OPTIONS":
		e.Message = "the value is none of the field's options; add it in Airtable, or set typecast: true"
	case "INVALID_FILTER_BY_FORMULA":
		e.Message = "Airtable does not understand the search; is a match field of a type that cannot be searched?"
	case noRow, "INVALID_RECORD_ID":
		e.Message = "a record that is named does not exist"
		if m := recordID.FindString(body.Message); m != "" {
			e.IDs = []string{m}
		}
	}
}

func noAnswer(err error, repeatable bool) *connectors.Error {
	var e *httpx.Error
	written := !errors.As(err, &e) || e.Written
	return connectors.NoAnswer(err, written, repeatable)
}

// decode reads an answer that Airtable says is a success. Numbers keep their
// digits.
func decode(body []byte, into any, repeatable bool) *connectors.Error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if dec.Decode(into) == nil {
		return nil
	}
	e := &connectors.Error{Kind: connectors.Transient, Code: "UNREADABLE", Message: "Airtable's answer cannot be read"}
	if !repeatable {
		e.Kind = connectors.Unknown
	}
	return e
}

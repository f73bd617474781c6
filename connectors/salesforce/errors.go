package salesforce

import (
	"bytes"
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
	codeNoObject  = "NO_SUCH_OBJECT"
	codeNoField   = "INVALID_FIELD"
	codeLocked    = "UNABLE_TO_LOCK_ROW"
	codeConverted = "CANNOT_UPDATE_CONVERTED_LEAD"
	codeDeleted   = "ENTITY_IS_DELETED"
	codeNoTarget  = "LINK_TARGET_GONE"
	codeTooMany   = "TOO_MANY_RECORDS"
	// codeNoReference is said of an id that was never there or is deleted for good.
	codeNoReference = "INVALID_CROSS_REFERENCE_KEY"
)

// errorsOf reads the errors of an answer, or of a composite request's part.
func errorsOf(body []byte) []wireError {
	var list []wireError
	_ = json.Unmarshal(body, &list) // errors of the edge are pages, not JSON
	return list
}

// classify says what an answer from 300 on means. Salesforce's statuses say
// little: the code decides.
func classify(r *httpx.Response, repeatable bool) *connectors.Error {
	return classifyBody(r.Status, r.Body, r.RetryAfter(), repeatable)
}

func classifyBody(status int, body []byte, wait time.Duration, repeatable bool) *connectors.Error {
	if list := errorsOf(body); len(list) > 0 && connectors.VendorCode(list[0].ErrorCode) != "" {
		e := errorOf(list[0].ErrorCode, list[0])
		if status >= 500 && e.Kind != connectors.RateLimited && e.Kind != connectors.Auth {
			e.Kind = connectors.ServerFault(status, repeatable)
		}
		if status == 429 {
			e.Kind, e.Account = connectors.RateLimited, true
		}
		if wait > 0 {
			e.Wait = wait
		}
		return e
	}
	e := &connectors.Error{Wait: wait, Message: fmt.Sprintf("Salesforce answered %d", status)}
	switch {
	case status == 429:
		e.Kind, e.Account, e.Wait = connectors.RateLimited, true, max(wait, 30*time.Second)
		e.Message = "Salesforce wants fewer requests"
	case status == 401 || status == 403:
		e.Kind, e.Account = connectors.Auth, true
		e.Message = "Salesforce does not accept the session, or its user may not use the API"
	case status == 413 || status == 414 || status == 431:
		e.Kind, e.Message = connectors.Invalid, "the request is too large for Salesforce"
	case status >= 500:
		e.Kind = connectors.ServerFault(status, repeatable)
	case status == 404 || status < 400:
		// Nothing about this record: the others would fare no better.
		e.Kind, e.Account, e.Park, e.Message = connectors.Transient, true, true, "this is not Salesforce's API; is login_url right?"
	default:
		e.Kind, e.Message = connectors.Invalid, "Salesforce does not accept the request"
	}
	return e
}

// classifyRow says what an error about one record of a collection means. That
// record was not written.
func classifyRow(list []wireError) *connectors.Error {
	if len(list) == 0 {
		return &connectors.Error{Kind: connectors.Transient, Code: "UNANSWERED", Message: "Salesforce did not take the record and does not say why"}
	}
	return errorOf(list[0].StatusCode, list[0])
}

var (
	fieldName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,99}$`)
	noColumn    = regexp.MustCompile(`No such column '([A-Za-z][A-Za-z0-9_]{0,99})'`)
	idInMessage = regexp.MustCompile(`\b[a-zA-Z0-9]{15}(?:[A-Z0-5]{3})?\b`)
)

// errorOf is an error by its code. The message may hold values, so only names
// of fields and ids are taken out of it.
func errorOf(code string, body wireError) *connectors.Error {
	v := judge(code, body.Message)
	e := &connectors.Error{Kind: v.kind, Account: v.account, Park: v.park, Wait: v.wait, Message: v.message, Code: connectors.VendorCode(code)}
	if len(body.Fields) > 0 && fieldName.MatchString(body.Fields[0]) {
		e.Field = body.Fields[0]
	}
	if m := noColumn.FindStringSubmatch(body.Message); m != nil && e.Field == "" {
		e.Field = m[1]
	}
	switch code {
	case "DUPLICATES_DETECTED":
		for _, found := range body.Duplicates.Results {
			for _, r := range found.Records {
				e.IDs = appendID(e.IDs, r.Record.ID)
			}
		}
	case "DUPLICATE_VALUE", "DUPLICATE_EXTERNAL_ID":
		// The ids stand only in the text, behind its last colon.
		rest := body.Message[strings.LastIndexByte(body.Message, ':')+1:]
		for _, id := range idInMessage.FindAllString(rest, 20) {
			e.IDs = appendID(e.IDs, id)
		}
	}
	return e
}

func appendID(ids []string, id string) []string {
	if full, ok := longID(id); ok {
		return append(ids, full)
	}
	return ids
}

// loginRetry are errors of the token address that pass by themselves.
var loginRetry = map[string]bool{"unknown_error": true, "server_error": true, "temporarily_unavailable": true, "rate_limit_exceeded": true}

var oauthWord = regexp.MustCompile(`^[a-z_]{1,40}$`)

// classifyLogin says what a refusal of the credentials means.
func classifyLogin(r *httpx.Response) *connectors.Error {
	var body wireOAuth
	_ = json.Unmarshal(r.Body, &body) // errors of the edge are pages, not JSON
	e := &connectors.Error{Kind: connectors.Auth, Account: true, Wait: r.RetryAfter()}
	if oauthWord.MatchString(body.Error) {
		e.Code = strings.ToUpper(body.Error)
	}
	switch {
	case r.Status == 429:
		e.Kind, e.Wait, e.Message = connectors.RateLimited, max(e.Wait, time.Minute), "Salesforce wants fewer logins"
	case r.Status >= 500 || loginRetry[body.Error]:
		// Nothing was written; nobody's login works just now.
		e.Kind, e.Account, e.Message = connectors.Transient, false, "Salesforce could not give a session just now"
	case r.Status == 404 && e.Code == "", r.Status < 400:
		e.Kind, e.Park, e.Message = connectors.Transient, true, "this is not Salesforce's login; is login_url right?"
	case body.Error == "invalid_grant":
		e.Message = "Salesforce does not accept the login: is the app approved for its user, and the user active?"
	case body.Error == "invalid_client_id", body.Error == "invalid_client":
		e.Message = "Salesforce does not accept client_id or client_secret"
	default:
		e.Message = "Salesforce does not accept the login"
	}
	return e
}

func noAnswer(err error, repeatable bool) *connectors.Error {
	if e, ok := errors.AsType[*connectors.Error](err); ok {
		return e // there is no session, and so nothing was sent
	}
	var e *httpx.Error
	written := !errors.As(err, &e) || e.Written
	return connectors.NoAnswer(err, written, repeatable)
}

// decode reads an answer that Salesforce says is a success. Numbers keep their
// digits.
func decode(body []byte, into any, repeatable bool) *connectors.Error {
	if into == nil {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if dec.Decode(into) == nil {
		return nil
	}
	e := &connectors.Error{Kind: connectors.Transient, Code: "UNREADABLE", Message: "Salesforce's answer cannot be read"}
	if !repeatable {
		e.Kind = connectors.Unknown
	}
	return e
}

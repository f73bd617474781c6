package oauth

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// codeRefused is of a refresh token or code that the vendor does not take.
const codeRefused = "INVALID_GRANT"

// problem is the body of an error: OAuth's, or HubSpot's with its status, or
// any other. Nothing of it is passed on but a word that looks like a code.
type problem struct {
	Error  json.RawMessage `json:"error"`
	Status json.RawMessage `json:"status"`
}

func (p problem) code() string {
	for _, raw := range []json.RawMessage{p.Error, p.Status} {
		var word string
		if json.Unmarshal(raw, &word) == nil {
			if code := connectors.VendorCode(strings.ToUpper(word)); code != "" {
				return code
			}
		}
	}
	return ""
}

// classify says what an error of the token address means.
func (s *Source) classify(r *httpx.Response) *connectors.Error {
	var p problem
	page := json.Unmarshal(r.Body, &p) != nil
	e := &connectors.Error{Kind: connectors.Transient, Account: true, Code: p.code(), Wait: r.RetryAfter()}
	switch {
	case r.Status == http.StatusTooManyRequests:
		e.Kind, e.Message = connectors.RateLimited, s.p.Vendor+" wants fewer requests for tokens"
		if e.Wait == 0 {
			e.Wait = 10 * time.Second
		}
	case r.Status == http.StatusRequestTimeout, r.Status == http.StatusConflict, r.Status >= 500:
		e.Message = s.p.Vendor + " gives no token now"
	case r.Status == http.StatusNotFound, r.Status == http.StatusMethodNotAllowed, r.Status < 400:
		e.Park, e.Message = true, s.p.Vendor+" gives no tokens at this address; is base_url right?"
	case page: // of an edge: the vendor itself did not see the request
		e.Wait, e.Message = max(e.Wait, time.Minute), s.p.Vendor+"'s edge refuses requests for tokens"
	case badClient(e.Code), r.Status == http.StatusUnauthorized && e.Code == "":
		return &connectors.Error{Kind: connectors.Auth, Account: true, Code: e.Code, Message: s.p.Vendor + " does not accept client_id and client_secret", Err: ErrNoAccess}
	case e.Code == "INVALID_SCOPE", e.Code == "UNSUPPORTED_GRANT_TYPE":
		return &connectors.Error{Kind: connectors.Auth, Account: true, Code: e.Code, Message: s.p.Vendor + " does not let this app have such tokens; look at its settings there", Err: ErrNoAccess}
	default:
		return s.none(codeRefused, s.p.Vendor+" does not accept the refresh token any more: it was revoked, was not used for too long, or its successor was lost")
	}
	return e
}

func badClient(code string) bool {
	switch code {
	case "INVALID_CLIENT", "UNAUTHORIZED_CLIENT", "BAD_CLIENT_ID", "BAD_CLIENT_SECRET", "INVALID_CLIENT_ID":
		return true
	}
	return false
}

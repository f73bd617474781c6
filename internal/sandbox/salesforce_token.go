package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// sfAudiences are the only audiences that Salesforce takes in an assertion,
// beside the addresses of its sites.
var sfAudiences = []string{"https://login.salesforce.com", "https://test.salesforce.com"}

// token gives a session to programs: client credentials, a signed assertion,
// or a user's password. Like Salesforce it does not say how long it will last.
func (s *salesforce) token(c *call) answer {
	if c.method != http.MethodPost {
		return sfOAuthError("invalid_request", "must use HTTP POST")
	}
	form, err := url.ParseQuery(string(c.body))
	if err != nil || !strings.HasPrefix(c.header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return sfOAuthError("invalid_request", "the request is no form")
	}
	if id, secret, ok := (&http.Request{Header: c.header}).BasicAuth(); ok {
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	}
	switch form.Get("grant_type") {
	case "client_credentials", "password":
		if form.Get("client_id") == "" {
			return sfOAuthError("invalid_client_id", "client identifier invalid")
		}
		if want := s.opts.Tokens["salesforce"]; form.Get("client_secret") == "" || want != "" && form.Get("client_secret") != want {
			return sfOAuthError("invalid_client", "invalid client credentials")
		}
		if form.Get("grant_type") == "password" && (form.Get("username") == "" || form.Get("password") == "") {
			return sfOAuthError("invalid_grant", "authentication failure")
		}
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		if description := sfAssertion(form.Get("assertion"), c.now); description != "" {
			return sfOAuthError("invalid_grant", description)
		}
	default:
		return sfOAuthError("unsupported_grant_type", "grant type not supported")
	}
	token := sfOrg[:15] + "!" + strings.ReplaceAll(newUUID(), "-", ".")
	s.sessions[token] = true
	site := "http://" + c.host + "/salesforce"
	return jsonAnswer(http.StatusOK, map[string]string{
		"access_token": token, "signature": "c2FuZGJveA==", "scope": "api", "instance_url": site,
		"id": site + "/id/" + sfOrg + "/0055g000000sandAAA", "token_type": "Bearer", "issued_at": sfMillis(c.now),
	})
}

func sfOAuthError(code, description string) answer {
	return jsonAnswer(http.StatusBadRequest, map[string]string{"error": code, "error_description": description})
}

// sfAssertion says what is wrong with an assertion. Whose key signed it is not
// checked: the sandbox has no certificates.
func sfAssertion(assertion string, now time.Time) string {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 || parts[2] == "" {
		return "invalid assertion"
	}
	var header struct{ Alg string }
	var claims struct {
		Iss, Sub, Aud string
		Exp           int64
	}
	for i, into := range []any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(text, into) != nil {
			return "invalid assertion"
		}
	}
	audience := false
	for _, a := range sfAudiences {
		audience = audience || claims.Aud == a
	}
	exp := time.Unix(claims.Exp, 0)
	switch {
	case header.Alg != "RS256":
		return "algorithm not supported"
	case claims.Iss == "":
		return "invalid client credentials"
	case claims.Sub == "":
		return "user hasn't approved this consumer"
	case !audience && !strings.Contains(claims.Aud, ".my.salesforce.com") && !strings.Contains(claims.Aud, ".my.site.com"):
		return "audience is invalid"
	case exp.Before(now):
		return "expired authorization code"
	case exp.After(now.Add(5 * time.Minute)):
		return "assertion expires too late"
	}
	return ""
}

// authorize refuses a call without a session, or with one that is over.
func (s *salesforce) authorize(c *call) *sfError {
	token, ok := strings.CutPrefix(c.header.Get("Authorization"), "Bearer ")
	if !ok {
		token, ok = strings.CutPrefix(c.header.Get("Authorization"), "OAuth ")
	}
	valid, issued := s.sessions[token]
	switch want := s.opts.Tokens["salesforce"]; {
	case !ok || strings.TrimSpace(token) == "":
		return sfErr(http.StatusUnauthorized, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
	case issued && !valid, !issued && want != "" && token != want:
		return sfNoSession()
	}
	return nil
}

// expire ends the session of a call.
func (s *salesforce) expire(c *call) {
	_, token, _ := strings.Cut(c.header.Get("Authorization"), " ")
	if s.sessions[token] {
		s.sessions[token] = false
	}
}

func sfNoSession() *sfError {
	return sfErr(http.StatusUnauthorized, "INVALID_SESSION_ID", "Session expired or invalid")
}

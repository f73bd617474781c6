package sandbox

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// app is a program that has access by OAuth.
type app struct {
	t   *testing.T
	box *Sandbox
	now time.Time
}

func (a *app) send(method, path, form, bearer string) (int, map[string]any, string) {
	a.t.Helper()
	r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if bearer == "" && method == http.MethodPost {
		r.SetBasicAuth("app", "secret")
	} else if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	w := httptest.NewRecorder()
	a.box.ServeHTTP(w, r)
	var body map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &body) // pages have none
	return w.Code, body, w.Header().Get("Location")
}

// TestOAuthOfAirtableIsStrict: PKCE, codes and refresh tokens that are good
// once, an end of everything where one is used again.
func TestOAuthOfAirtableIsStrict(t *testing.T) {
	t.Parallel()
	a := &app{t: t, now: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}
	a.box = New(Options{Unlimited: true, TokenLife: time.Minute, Now: func() time.Time { return a.now }})
	const (
		path, page = "/airtable/oauth2/v1/token", "/airtable/oauth2/v1/authorize?"
		back       = "http://localhost:1/callback"
		// the challenge of RFC 7636, appendix B
		verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	)
	ask := func(change ...string) url.Values {
		q := url.Values{"client_id": {"app"}, "redirect_uri": {back}, "response_type": {"code"}, "state": {"0123456789abcdef"}, "scope": {"data.records:read"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}}
		for i := 0; i < len(change); i += 2 {
			q.Set(change[i], change[i+1])
		}
		_, _, to := a.send("GET", page+q.Encode(), "", "")
		u, err := url.Parse(to)
		if err != nil || to == "" {
			return nil
		}
		return u.Query()
	}
	for _, wrong := range [][]string{{"client_id", ""}, {"redirect_uri", "http://127.0.0.1:1/callback"}, {"code_challenge", ""}, {"scope", ""}, {"state", "short"}} {
		if q := ask(wrong...); q.Has("code") {
			t.Errorf("%v was taken", wrong)
		}
	}
	trade := func(code, proof string) (int, map[string]any) {
		status, body, _ := a.send("POST", path, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {back}, "code_verifier": {proof}}.Encode(), "")
		return status, body
	}
	refresh := func(token any) (int, map[string]any) {
		status, body, _ := a.send("POST", path, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.(string)}}.Encode(), "")
		return status, body
	}
	api := func(token any) int {
		status, _, _ := a.send("GET", "/airtable/v0/meta/whoami", "", token.(string))
		return status
	}
	code := ask().Get("code")
	if status, _ := trade(code, "another"); status != 400 {
		t.Errorf("another verifier: %d", status)
	}
	status, first := trade(code, verifier)
	if status != 200 || first["expires_in"] != 60.0 || api(first["access_token"]) != 200 {
		t.Fatalf("%d %v", status, first)
	}
	_, second := refresh(first["refresh_token"])
	if got := api(first["access_token"]); got != 401 {
		t.Errorf("the access token before answers %d", got)
	}
	if got := api(second["access_token"]); got != 200 {
		t.Errorf("the new access token answers %d", got)
	}
	a.now = a.now.Add(2 * time.Minute)
	if got := api(second["access_token"]); got != 401 {
		t.Errorf("an old access token answers %d", got)
	}
	if status, body := refresh(first["refresh_token"]); status != 400 || body["error"] != "invalid_grant" {
		t.Errorf("a used refresh token: %d %v", status, body)
	}
	if status, _ := refresh(second["refresh_token"]); status != 400 {
		t.Error("the grant lives on after a used refresh token came again")
	}
}

package sandbox

import (
	"net/http"
	"strings"
	"time"
)

const hsPortal = 146425426

// newHubSpotOAuth: tokens for 30 minutes, a refresh token that stays (HubSpot
// OAuth guide, 2026-11).
func newHubSpotOAuth(o Options) *oauth {
	return newOAuth(o, oauthStyle{
		life: 30 * time.Minute, scopes: true,
		extra: func(_ string, scopes []string) map[string]any {
			return map[string]any{"hub_id": hsPortal, "user_id": 90001, "scopes": scopes, "token_use": "access_token"}
		},
		refuse: func(status int, code, description string) answer {
			word := map[string]string{"invalid_grant": "BAD_REFRESH_TOKEN", "invalid_client": "BAD_CLIENT_SECRET"}[code]
			return jsonAnswer(status, map[string]string{"status": orElse(word, "BAD_REQUEST"), "message": description, "error": code, "error_description": description, "correlationId": newUUID()})
		},
	})
}

// newPipedriveOAuth: tokens for an hour, a refresh token that stays and whose
// 60 days begin anew at each use (Pipedrive OpenAPI v1, 2026-11).
func newPipedriveOAuth(o Options) *oauth {
	return newOAuth(o, oauthStyle{
		life: time.Hour, basic: true,
		extra: func(host string, _ []string) map[string]any {
			return map[string]any{"scope": "base,contacts:full,activities:full", "api_domain": "http://" + host + "/pipedrive"}
		},
		refuse: oauthRefuse,
	})
}

// newAirtableOAuth: tokens for an hour, a refresh token that is good once;
// using one again is what Airtable most often revokes an integration for
// (Airtable OAuth reference and troubleshooting, 2026-11).
func newAirtableOAuth(o Options) *oauth {
	return newOAuth(o, oauthStyle{
		life: time.Hour, basic: true, proof: true, scopes: true, rotates: true, strict: true,
		extra: func(_ string, scopes []string) map[string]any {
			return map[string]any{"scope": strings.Join(scopes, " "), "refresh_expires_in": 60 * 24 * 3600}
		},
		refuse: oauthRefuse,
	})
}

// oauthPaths serves HubSpot's: /oauth/authorize, /oauth/{version}/token and
// /oauth/{version}/token/introspect.
func (h *hubspot) oauthPaths(c *call) answer {
	s := c.segments
	versioned := len(s) >= 3 && (s[1] == hsVersion || s[1] == "2026-03" || s[1] == "v1" || s[1] == "v3") && s[2] == "token"
	switch {
	case len(s) == 2 && s[1] == "authorize":
		return h.oauth.authorize(c)
	case versioned && len(s) == 3:
		return h.oauth.token(c)
	case versioned && len(s) == 4 && s[3] == "introspect" && s[1] != "v1":
		return h.introspect(c)
	}
	return hsNotFoundPath().answer()
}

// introspect tells an app about one of its tokens.
func (h *hubspot) introspect(c *call) answer {
	form, id, _, refusal := h.oauth.client(c)
	if refusal != nil {
		return *refusal
	}
	t := h.oauth.tokens[form.Get("token")]
	if t == nil || t.grant.client != id || t.dead || t.grant.over || !c.now.Before(t.until) {
		return jsonAnswer(http.StatusOK, map[string]any{"active": false})
	}
	return jsonAnswer(http.StatusOK, map[string]any{
		"active": true, "token": form.Get("token"), "token_type": "bearer", "token_use": "access_token", "client_id": id,
		"hub_id": hsPortal, "hub_domain": "sandbox.example", "user_id": 90001, "user": "owner.one@example.com",
		"scopes": t.grant.scopes, "expires_in": int(t.until.Sub(c.now).Seconds()),
	})
}

// fault is the error of a token address for a fault that names OAuth's own
// code, such as invalid_grant.
func (o *oauth) fault(c *call, status int, word string) (answer, bool) {
	last := ""
	if n := len(c.segments); n > 0 {
		last = c.segments[n-1]
	}
	if last != "token" || status >= 500 || !strings.HasPrefix(word, "invalid_") {
		return answer{}, false
	}
	return o.style.refuse(status, word, "a fault of the sandbox"), true
}

package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// oauthCodeLife is how long a code may wait to be traded.
const oauthCodeLife = 10 * time.Minute

// oauthStyle is what differs between the vendors that give access by OAuth.
type oauthStyle struct {
	life    time.Duration // of an access token
	basic   bool          // the client shows itself by HTTP Basic, not by fields
	proof   bool          // PKCE is wanted
	scopes  bool          // the page wants scopes
	rotates bool          // a refresh token is good once
	strict  bool          // using one again ends the grant; no http but for localhost
	// extra are further keys of a token answer; host is the sandbox's own.
	extra func(host string, scopes []string) map[string]any
	// refuse words an error of the token address.
	refuse func(status int, code, description string) answer
}

// oauth is the part of a vendor that asks people for consent and gives tokens.
// Its page consents by itself: a GET leads to the redirect address with a code,
// or, with &deny=1, which no vendor knows, with the refusal.
type oauth struct {
	opts   Options
	style  oauthStyle
	codes  map[string]*oauthCode
	tokens map[string]*oauthToken // access tokens that were given
	renew  map[string]*oauthGrant // by refresh token, also those used up
}

type oauthCode struct {
	grant    *oauthGrant
	redirect string
	proof    string // PKCE's challenge
	until    time.Time
	used     bool
}

// oauthGrant is one person's consent.
type oauthGrant struct {
	client, secret string // secret: the first that was shown
	scopes         []string
	refresh        string // the one that is good
	access         string // the newest
	used           string // the refresh token that was traded last
	usedAt         time.Time
	over           bool
}

type oauthToken struct {
	grant *oauthGrant
	until time.Time
	dead  bool
}

func newOAuth(o Options, s oauthStyle) *oauth {
	if o.TokenLife > 0 {
		s.life = o.TokenLife
	}
	return &oauth{opts: o, style: s, codes: map[string]*oauthCode{}, tokens: map[string]*oauthToken{}, renew: map[string]*oauthGrant{}}
}

// knows tells whether a call carries a token that was given here, and whether
// that is good.
func (o *oauth) knows(c *call) (given, good bool) {
	word, ok := strings.CutPrefix(c.header.Get("Authorization"), "Bearer ")
	t := o.tokens[strings.TrimSpace(word)]
	if !ok || t == nil {
		return false, false
	}
	return true, !t.dead && !t.grant.over && c.now.Before(t.until)
}

// authorize is the page that asks for consent.
func (o *oauth) authorize(c *call) answer {
	q := c.query
	back, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case c.method != http.MethodGet:
		return plainError(http.StatusMethodNotAllowed, "the page is asked for with GET")
	case q.Get("client_id") == "", err != nil, back.Host == "", back.Scheme != "https" && back.Scheme != "http":
		// A vendor sends nobody to an address that it does not know.
		return htmlAnswer(http.StatusBadRequest)
	case o.style.strict && back.Scheme == "http" && back.Hostname() != "localhost":
		return htmlAnswer(http.StatusBadRequest)
	}
	answerTo := back.Query()
	if s := q.Get("state"); s != "" {
		answerTo.Set("state", s)
	}
	scopes := strings.Fields(q.Get("scope"))
	switch {
	case q.Get("deny") != "":
		answerTo.Set("error", "access_denied")
	case o.style.proof && (q.Get("response_type") != "code" || len(q.Get("state")) < 16),
		o.style.proof && (len(q.Get("code_challenge")) != 43 || q.Get("code_challenge_method") != "S256"):
		answerTo.Set("error", "invalid_request")
	case o.style.scopes && len(scopes) == 0:
		answerTo.Set("error", "invalid_scope")
	default:
		code := "code-" + newUUID()
		o.codes[code] = &oauthCode{
			grant:    &oauthGrant{client: q.Get("client_id"), scopes: scopes},
			redirect: q.Get("redirect_uri"), proof: q.Get("code_challenge"), until: c.now.Add(oauthCodeLife),
		}
		answerTo.Set("code", code)
	}
	back.RawQuery = answerTo.Encode()
	return answer{status: http.StatusFound, header: http.Header{"Location": {back.String()}}}
}

// token trades codes and refresh tokens.
func (o *oauth) token(c *call) answer {
	form, id, secret, refusal := o.client(c)
	if refusal != nil {
		return *refusal
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		return o.trade(c, form, id, secret)
	case "refresh_token":
		g := o.renew[form.Get("refresh_token")]
		if g == nil || g.client != id {
			return o.style.refuse(http.StatusBadRequest, "invalid_grant", "the refresh token is invalid")
		}
		if g.secret != secret {
			return o.style.refuse(http.StatusUnauthorized, "invalid_client", "client authentication failed")
		}
		return o.refresh(c, g, form.Get("refresh_token"))
	default:
		return o.style.refuse(http.StatusBadRequest, "unsupported_grant_type", "grant_type is authorization_code or refresh_token")
	}
}

// client reads the form and who sends it.
func (o *oauth) client(c *call) (form url.Values, id, secret string, refusal *answer) {
	no := func(status int, code, description string) (url.Values, string, string, *answer) {
		a := o.style.refuse(status, code, description)
		return nil, "", "", &a
	}
	form, err := url.ParseQuery(string(c.body))
	if c.method != http.MethodPost || err != nil || !strings.HasPrefix(c.header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return no(http.StatusBadRequest, "invalid_request", "a form is wanted by POST")
	}
	id, secret = form.Get("client_id"), form.Get("client_secret")
	if o.style.basic {
		id, secret, _ = (&http.Request{Header: c.header}).BasicAuth()
	}
	if id == "" || secret == "" {
		return no(http.StatusUnauthorized, "invalid_client", "client authentication failed")
	}
	return form, id, secret, nil
}

func (o *oauth) trade(c *call, form url.Values, id, secret string) answer {
	code := o.codes[form.Get("code")]
	switch {
	case code == nil || code.grant.client != id || c.now.After(code.until):
		return o.style.refuse(http.StatusBadRequest, "invalid_grant", "the code is invalid")
	case code.used:
		code.grant.over = true // as who has it may have stolen it
		return o.style.refuse(http.StatusBadRequest, "invalid_grant", "the code was used before")
	case code.redirect != form.Get("redirect_uri"):
		return o.style.refuse(http.StatusBadRequest, "invalid_grant", "redirect_uri is another one")
	}
	if code.proof != "" {
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		if base64.RawURLEncoding.EncodeToString(sum[:]) != code.proof {
			return o.style.refuse(http.StatusBadRequest, "invalid_grant", "code_verifier does not match")
		}
	}
	code.used = true
	code.grant.secret = secret
	return o.give(c, code.grant)
}

// refresh trades a refresh token. Where it is good once, using it again ends
// the whole grant, but for a while that RefreshGrace may allow.
func (o *oauth) refresh(c *call, g *oauthGrant, token string) answer {
	switch {
	case g.over:
		return o.style.refuse(http.StatusBadRequest, "invalid_grant", "the refresh token is invalid")
	case token == g.refresh:
		g.used, g.usedAt = token, c.now
		return o.give(c, g)
	case token == g.used && c.now.Sub(g.usedAt) < o.opts.RefreshGrace:
		return o.give(c, g)
	}
	g.over = o.style.strict
	return o.style.refuse(http.StatusBadRequest, "invalid_grant", "the refresh token was used before")
}

// give makes a new access token, and a new refresh token where they rotate.
func (o *oauth) give(c *call, g *oauthGrant) answer {
	if o.style.rotates {
		if old := o.tokens[g.access]; old != nil {
			old.dead = true
		}
	}
	if g.refresh == "" || o.style.rotates {
		g.refresh = "refresh-" + newUUID()
		o.renew[g.refresh] = g
	}
	g.access = "access-" + newUUID()
	o.tokens[g.access] = &oauthToken{grant: g, until: c.now.Add(o.style.life)}
	body := map[string]any{
		"token_type": "bearer", "access_token": g.access, "refresh_token": g.refresh,
		"expires_in": max(1, int(o.style.life.Seconds())),
	}
	maps.Copy(body, o.style.extra(c.host, g.scopes))
	a := jsonAnswer(http.StatusOK, body)
	a.header = http.Header{"Cache-Control": {"no-store"}}
	return a
}

// oauthRefuse words an error as RFC 6749 does.
func oauthRefuse(status int, code, description string) answer {
	return jsonAnswer(status, map[string]string{"error": code, "error_description": description})
}

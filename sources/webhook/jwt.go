package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"github.com/crmsyncd/crmsyncd/sources"
)

// jwtProof is a body that is a JSON Web Token (RFC 7519) signed with HS256.
// No other algorithm is taken, whatever the token says of itself.
type jwtProof struct {
	keys      [][]byte
	tolerance time.Duration // of iat; 0: any age
}

func (u *setup) jwt(a Authenticator) authenticator {
	if a.JWT.Tolerance < 0 {
		u.bad(a.node.Get("tolerance"), "wants a length of time that is not negative", "")
	}
	return &jwtProof{u.keys(a, a.JWT.Secret), a.JWT.Tolerance}
}

// leeway is how far the clock of who made a token may be from ours.
const leeway = time.Minute

var segment = base64.RawURLEncoding.Strict()

// token is a token in parts; nothing of it is proven.
type token struct {
	header, claims []byte // JSON
	signed         []byte // what the signature covers
	signature      []byte
}

var errNoToken = errors.New("the body is no JSON Web Token")

func readToken(body []byte) (t token, err error) {
	parts := bytes.Split(bytes.TrimSpace(body), []byte("."))
	if len(parts) != 3 {
		return t, errNoToken
	}
	t.signed = bytes.TrimSpace(body)[:len(parts[0])+1+len(parts[1])]
	for i, into := range []*[]byte{&t.header, &t.claims, &t.signature} {
		*into = make([]byte, segment.DecodedLen(len(parts[i])))
		n, err := segment.Decode(*into, parts[i])
		if err != nil || bytes.ContainsAny(parts[i], "\r\n") {
			return t, errNoToken
		}
		*into = (*into)[:n]
	}
	return t, nil
}

func (p *jwtProof) verify(m *message) string {
	t, err := readToken(m.Body)
	if err != nil {
		return "no_signature"
	}
	header, err := sources.ReadJSON(t.header)
	if err != nil || header.Get("alg").Text() != "HS256" || header.Get("crit").Known() {
		return "bad_algorithm"
	}
	match := false
	for _, key := range p.keys {
		if hmac.Equal(tokenSum(key, t.signed), t.signature) {
			match = true
		}
	}
	if !match {
		return "bad_signature"
	}
	claims, _ := sources.ReadJSON(t.claims) // what cannot be read has no times, and is parsed to a problem
	if v := claims.Get("exp"); v.Known() {
		if at, ok := v.Time(); !ok || m.At.After(at.Add(leeway)) {
			return "old_timestamp"
		}
	}
	if v := claims.Get("nbf"); v.Known() {
		if at, ok := v.Time(); !ok || m.At.Before(at.Add(-leeway)) {
			return "future_timestamp"
		}
	}
	if p.tolerance > 0 {
		at, ok := claims.Get("iat").Time()
		return freshness(at, ok, m.At, p.tolerance)
	}
	return ""
}

func tokenSum(key, signed []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(signed)
	return mac.Sum(nil)
}

// sign makes a token of the body, with the time of signing where that is asked
// for. A body that is a token already is left alone.
func (p *jwtProof) sign(m *message, _ string, at time.Time) {
	if _, err := readToken(m.Body); err == nil {
		return
	}
	claims := m.Body
	if p.tolerance > 0 {
		claims = withTime(claims, at)
	}
	signed := []byte(segment.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + segment.EncodeToString(claims))
	m.replace(append(append(signed, '.'), segment.EncodeToString(tokenSum(p.keys[0], signed))...))
	m.Header.Set("Content-Type", "application/jwt")
}

func (*jwtProof) inBody() bool { return true }

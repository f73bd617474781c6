package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// Account asks the vendor, by one cheap request with the newest token, whose
// account it is.
type Account func(ctx context.Context) (string, *connectors.Error)

// Ask sets how the account is asked for. It must be called before Grant; on
// nil it does nothing.
func (s *Source) Ask(a Account) {
	if s != nil {
		s.account = a
	}
}

var _ connectors.Consent = (*Source)(nil)

// Begin implements connectors.Consent.
func (s *Source) Begin(redirect string) connectors.Attempt {
	a := connectors.Attempt{State: rand.Text(), Redirect: redirect}
	q := url.Values{"response_type": {"code"}, "client_id": {s.p.ClientID}, "redirect_uri": {redirect}, "state": {a.State}}
	if len(s.p.Scopes) > 0 {
		q.Set("scope", strings.Join(s.p.Scopes, " "))
	}
	if s.p.Proof {
		a.Verifier = rand.Text() + rand.Text()
		sum := sha256.Sum256([]byte(a.Verifier))
		q.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
		q.Set("code_challenge_method", "S256")
	}
	a.Page = s.p.AuthorizeURL + "?" + q.Encode()
	return a
}

// Grant implements connectors.Consent.
func (s *Source) Grant(ctx context.Context, a connectors.Attempt, code string) (connectors.Granted, error) {
	if s.p.Vault == nil {
		return connectors.Granted{}, s.none("NO_CONSENT", "there is no ledger to keep tokens in")
	}
	before := ""
	err := s.p.Vault.Update(ctx, func(ctx context.Context, old []byte) ([]byte, error) {
		if t, err := s.open(old); err == nil {
			before = t.Account // of tokens made with another secret nothing is known
		}
		t, fault := s.first(ctx, a, code)
		if fault != nil {
			return nil, fault
		}
		return s.seal(t)
	})
	if err != nil {
		return connectors.Granted{}, s.unkept(err)
	}
	granted := connectors.Granted{}
	account, fault := s.account(ctx)
	if fault != nil {
		return granted, fault
	}
	granted.Account = account
	if before != account {
		granted.Before = before
	}
	err = s.p.Vault.Update(ctx, func(_ context.Context, old []byte) ([]byte, error) {
		t, err := s.open(old)
		if err != nil {
			return nil, err
		}
		t.Account = account
		return s.seal(t)
	})
	if err != nil {
		return granted, s.unkept(err)
	}
	return granted, nil
}

// Keep implements connectors.Consent: an access token that is over is renewed.
func (s *Source) Keep(ctx context.Context) error {
	_, err := s.Access(ctx)
	return err
}

// first trades a code. It is good for one request: a second one makes some
// vendors take back what the first one gave.
func (s *Source) first(ctx context.Context, a connectors.Attempt, code string) (token, *connectors.Error) {
	fields := []string{"grant_type", "authorization_code", "code", code, "redirect_uri", a.Redirect}
	if a.Verifier != "" {
		fields = append(fields, "code_verifier", a.Verifier)
	}
	got, fault := s.ask(ctx, s.form(fields...))
	switch {
	case fault != nil && fault.Code == codeRefused:
		return token{}, &connectors.Error{Kind: connectors.Auth, Account: true, Code: codeRefused, Message: s.p.Vendor + " does not accept the code: it is good once and for minutes, with the redirect address that the app has; begin again"}
	case fault != nil:
		return token{}, fault
	case got.Refresh == "":
		return token{}, &connectors.Error{Kind: connectors.Auth, Account: true, Code: "NO_REFRESH_TOKEN", Message: s.p.Vendor + " gave no refresh token; the app must be allowed lasting (offline) access"}
	}
	return token{Access: got.Access, Refresh: got.Refresh, Until: got.until, Site: s.site(got.Site, "")}, nil
}

// About asks an address of the vendor's, path behind that of the token
// address, about the newest access token, as token introspection does (RFC
// 7662), and decodes the answer into into.
func (s *Source) About(ctx context.Context, path string, into any) *connectors.Error {
	t, err := s.load(ctx)
	if err != nil {
		return connectors.AsError(err)
	}
	q := s.form("token", t.Access, "token_type_hint", "access_token")
	q.Path += path
	q.Repeatable = true
	r, err := s.client.Do(ctx, q)
	if err != nil {
		return connectors.NoAnswer(err, false, true)
	}
	if r.Status != http.StatusOK {
		return s.classify(r)
	}
	if json.Unmarshal(r.Body, into) != nil {
		return &connectors.Error{Kind: connectors.Transient, Code: "UNREADABLE", Message: s.p.Vendor + "'s answer cannot be read"}
	}
	return nil
}

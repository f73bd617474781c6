package salesforce

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// assertionLife is how long a signed assertion is good (JWT bearer flow,
// 2026-11: three minutes).
const assertionLife = 3 * time.Minute

// login gets sessions: a token, and the org's own address. Salesforce does not
// say how long one lasts: it is over when a request is refused. All who need a
// new one at once share one request. It implements httpx.Auth.
type login struct {
	cfg    Config
	key    *rsa.PrivateKey // nil: client credentials
	oauth  *httpx.Client
	turn   chan struct{} // held by who asks for a session
	mu     sync.Mutex
	now    httpx.Access      // zero: none
	failed *connectors.Error // the last answer, if it was no session
	at     time.Time         // when it came
}

func newLogin(cfg Config, opt connectors.Options) (*login, error) {
	l := &login{cfg: cfg, turn: make(chan struct{}, 1)}
	address := cfg.BaseURL
	if address == "" {
		if address = cfg.LoginURL; address == "" {
			return nil, errors.New("login_url is missing: the org's My Domain, such as https://example.my.salesforce.com")
		}
		if u, err := url.Parse(address); err != nil || u.Scheme != "https" || u.Host == "" {
			return nil, errors.New("login_url: it is no address that begins with https://")
		}
	}
	switch {
	case cfg.ClientSecret != "" && cfg.PrivateKey != "":
		return nil, errors.New("private_key: set client_secret or private_key, not both")
	case cfg.PrivateKey != "":
		if cfg.Username == "" {
			return nil, errors.New("private_key: it needs username, the user that crmsyncd acts as")
		}
		key, err := parseKey(cfg.PrivateKey.Reveal())
		if err != nil {
			return nil, err
		}
		l.key = key
	case cfg.ClientSecret == "":
		return nil, errors.New("client_secret is missing, or private_key with username")
	case l.general(cfg.LoginURL) && cfg.BaseURL == "":
		return nil, errors.New("login_url: client credentials need the org's My Domain, such as https://example.my.salesforce.com")
	}
	oauth, err := httpx.New(httpx.Options{BaseURL: address, UserAgent: opt.UserAgent, Timeout: cfg.Timeout, Transport: opt.Transport})
	if err != nil {
		return nil, err
	}
	l.oauth = oauth
	return l, nil
}

// general tells whether an address is that of all orgs.
func (*login) general(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Host == "login.salesforce.com" || u.Host == "test.salesforce.com")
}

func parseKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("private_key: it is no PEM text that begins with -----BEGIN PRIVATE KEY-----")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := any.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("private_key: it is no RSA key without passphrase")
	}
	return key, nil
}

// Access gives the session at hand, or a new one if there is none.
func (l *login) Access(ctx context.Context) (httpx.Access, error) {
	return l.Renew(ctx, httpx.Access{})
}

// Renew gives a session other than the stale one.
func (l *login) Renew(ctx context.Context, stale httpx.Access) (httpx.Access, error) {
	began := time.Now()
	if s, ok := l.current(stale); ok {
		return s, nil
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return httpx.Access{}, connectors.AsError(ctx.Err()) // nothing was sent
	}
	if s, ok := l.current(stale); ok {
		return s, nil
	}
	if err := l.failedSince(began); err != nil {
		return httpx.Access{}, err
	}
	s, err := l.open(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now, l.failed, l.at = s, err, time.Now()
	if err == nil {
		return s, nil
	}
	if ctx.Err() != nil {
		l.failed = nil // only this caller gave up
	}
	return httpx.Access{}, err
}

func (l *login) current(stale httpx.Access) (httpx.Access, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now, l.now != stale && l.now != httpx.Access{}
}

// failedSince shares a refusal among all who waited for it.
func (l *login) failedSince(began time.Time) *connectors.Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil && l.at.After(began) {
		return l.failed
	}
	return nil
}

func (l *login) open(ctx context.Context) (httpx.Access, *connectors.Error) {
	var none httpx.Access
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {l.cfg.ClientID}, "client_secret": {l.cfg.ClientSecret.Reveal()}}
	if l.key != nil {
		assertion, err := l.assertion(time.Now())
		if err != nil {
			return none, &connectors.Error{Kind: connectors.Auth, Account: true, Code: "NO_ASSERTION", Message: "the private key cannot sign"}
		}
		form = url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	}
	answer, fault := l.oauth.Do(ctx, httpx.Request{Method: http.MethodPost, Path: "/services/oauth2/token", Form: form, Repeatable: true})
	if fault != nil {
		return none, noAnswer(fault, true)
	}
	if answer.Status >= 300 {
		return none, classifyLogin(answer)
	}
	var token wireToken
	if err := decode(answer.Body, &token, true); err != nil {
		return none, err
	}
	site := l.site(token.Instance)
	if u, err := url.Parse(site); err != nil || u.Host == "" || token.Token == "" {
		return none, &connectors.Error{Kind: connectors.Auth, Account: true, Code: "NO_SESSION", Message: "Salesforce's answer to the credentials is no session; is login_url right?"}
	}
	return httpx.Access{Authorization: "Bearer " + token.Token, BaseURL: site}, nil
}

// orgs are how the names of orgs' addresses end (Salesforce help, "Allow the
// required domains", 2026-11): commercial, of the US military, in China.
var orgs = []string{".salesforce.com", ".force.com", ".salesforce.mil", ".sfcrmproducts.cn", ".sfcrmapps.cn"}

// site is where the org's API is; "" if the answer does not say so, if the
// token would travel in the clear, or to somebody who is not Salesforce.
func (l *login) site(instance string) string {
	if l.cfg.BaseURL != "" {
		return strings.TrimRight(l.cfg.BaseURL, "/")
	}
	u, err := url.Parse(instance)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" {
		return ""
	}
	if home, err := url.Parse(l.cfg.LoginURL); err == nil && home.Host != "" && u.Host == home.Host ||
		slices.ContainsFunc(orgs, func(end string) bool { return strings.HasSuffix(strings.ToLower(u.Host), end) }) {
		return "https://" + u.Host
	}
	return ""
}

// assertion is what the private key signs: who wants to act as whom.
func (l *login) assertion(now time.Time) (string, error) {
	audience := l.cfg.Audience
	if audience == "" {
		audience = "https://login.salesforce.com"
		if strings.Contains(l.cfg.LoginURL, "//test.") || strings.Contains(l.cfg.LoginURL, ".sandbox.") {
			audience = "https://test.salesforce.com"
		}
	}
	claims, err := json.Marshal(map[string]any{"iss": l.cfg.ClientID, "sub": l.cfg.Username, "aud": audience, "exp": now.Add(assertionLife).Unix()})
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"RS256"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, l.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return text + "." + encode(signature), nil
}

// url leads people to a record.
func (l *login) url(id string) string {
	if s, ok := l.current(httpx.Access{}); ok {
		return s.BaseURL + "/" + id
	}
	return ""
}

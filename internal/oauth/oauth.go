// Package oauth gives connectors access to accounts for which a person granted
// it in a browser: it trades codes and refresh tokens for access tokens, renews
// these before they expire, and keeps them sealed in the connector's vault.
//
// A refresh token that the vendor replaces at each use is not lost by a crash
// of ours: the new one is on disk before it is used for anything. What a crash
// can lose is the vendor's answer itself; see Source.renew. The package knows
// no vendor by name, opens no browser and listens to nothing.
package oauth

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// Provider is what a vendor wants of its clients.
type Provider struct {
	Vendor       string // as people know it, such as HubSpot
	Connector    string // its name in the settings
	AuthorizeURL string // the page that asks for the consent
	TokenURL     string
	ClientID     string
	ClientSecret config.Secret
	Scopes       []string // asked for; none: those that the app has at the vendor
	// Basic: id and secret go by HTTP Basic instead of among the form's fields.
	Basic bool
	// Proof: the code is protected by PKCE with S256.
	Proof bool
	// Sites is the end of the hosts that may be named as the account's own API
	// address, such as .pipedrive.com; "": there is one address for all.
	Sites     string
	UserAgent string
	Timeout   time.Duration // of one request; 0: that of httpx
	Vault     connectors.Vault
	Transport http.RoundTripper // in place of the network; nil: the network
}

// Source is the access to one account. It is safe for concurrent use.
type Source struct {
	p      Provider
	client *httpx.Client
	path   string // of TokenURL

	mu       sync.Mutex
	sealed   []byte // what token was opened from
	token    token
	failed   *connectors.Error // how the last attempt to renew failed
	failedAt time.Time
	mended   string // what last replaced access that was refused
	mendedAt time.Time
	account  Account
}

// New returns a Source. It sends nothing.
func New(p Provider) (*Source, error) {
	host, path, ok := split(p.TokenURL)
	if _, _, fine := split(p.AuthorizeURL); !ok || !fine {
		return nil, errors.New("base_url: this is no http or https address; write it like http://127.0.0.1:9900/hubspot")
	}
	client, err := httpx.New(httpx.Options{BaseURL: host, UserAgent: p.UserAgent, Timeout: p.Timeout, Transport: p.Transport})
	if err != nil {
		return nil, err
	}
	return &Source{p: p, client: client, path: path}, nil
}

// split cuts an address behind its host.
func split(address string) (host, path string, ok bool) {
	scheme, rest, ok := strings.Cut(address, "://")
	name, path, found := strings.Cut(rest, "/")
	return scheme + "://" + name, "/" + path, ok && found && name != "" && (scheme == "https" || scheme == "http")
}

// Settings checks the two ways in which settings can give access: a token, or
// client_id with client_secret. setting is the token's name in the settings.
// oauth says that it is the second way.
func Settings(setting string, token config.Secret, clientID string, clientSecret config.Secret) (oauth bool, err error) {
	switch {
	case token != "" && (clientID != "" || clientSecret != ""):
		return false, errors.New(setting + ": set either it, or client_id and client_secret, not both")
	case token != "":
		return false, nil
	case clientID == "" && clientSecret == "":
		return false, errors.New(setting + " is missing, or client_id and client_secret for access by OAuth")
	case clientID == "":
		return false, errors.New("client_secret: it needs client_id")
	case clientSecret == "":
		return false, errors.New("client_id: it needs client_secret")
	}
	return true, nil
}

// Address is where the vendor's OAuth is: own, unless the settings have a
// base_url that is not at home, the vendor's domain; then path below that.
func Address(base, home, path, own string) string {
	u, err := url.Parse(base)
	if base == "" || err == nil && (u.Hostname() == home || strings.HasSuffix(u.Hostname(), "."+home)) {
		return own
	}
	return strings.TrimRight(base, "/") + path
}

// hint is what a person does when the vendor gives no access any more.
func (s *Source) hint() string { return "run: crmsyncd auth " + s.p.Connector }

// ErrNoAccess is among the causes of errors that say that there is no access
// at all, whatever a request was for.
var ErrNoAccess = errors.New("no access")

func (s *Source) none(code, message string) *connectors.Error {
	return &connectors.Error{Kind: connectors.Auth, Account: true, Code: code, Message: message + "; " + s.hint(), Err: ErrNoAccess}
}

func access(t token) httpx.Access {
	return httpx.Access{Authorization: "Bearer " + t.Access, BaseURL: t.Site}
}

// form is a request to the vendor's token address.
func (s *Source) form(fields ...string) httpx.Request {
	q := httpx.Request{Method: http.MethodPost, Path: s.path, Form: map[string][]string{}}
	for i := 0; i+1 < len(fields); i += 2 {
		q.Form.Set(fields[i], fields[i+1])
	}
	if s.p.Basic {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(s.p.ClientID, s.p.ClientSecret.Reveal())
		q.Header = r.Header
		return q
	}
	q.Form.Set("client_id", s.p.ClientID)
	q.Form.Set("client_secret", s.p.ClientSecret.Reveal())
	return q
}

// site is the account's own API address, if the vendor may name one.
func (s *Source) site(named, before string) string {
	if s.p.Sites == "" {
		return ""
	}
	host, path, ok := split(strings.TrimRight(named, "/") + "/")
	if !ok || path != "/" || !strings.HasPrefix(host, "https://") || !strings.HasSuffix(host, s.p.Sites) || strings.ContainsAny(host, "@?#") {
		return before
	}
	return cmp.Or(host, before)
}

// Auth is s, or nil where s is nil: then the settings hold a token.
func (s *Source) Auth() httpx.Auth {
	if s == nil {
		return nil
	}
	return s
}

// Site is the account's own API address, once a request was sent there; "" if
// there is one address for all, or s is nil.
func (s *Source) Site() string {
	if s == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token.Site
}

// Consent is s, or nil where s is nil.
func (s *Source) Consent() connectors.Consent {
	if s == nil {
		return nil
	}
	return s
}

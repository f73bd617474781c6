package oauth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const (
	// early is how long before its end an access token is replaced, at most a
	// tenth of its life: for requests that take their time, and for clocks
	// that differ. A clock that differs by more costs one answer 401.
	early = 2 * time.Minute
	// calm is how long a token that replaced a refused one is not replaced if it
	// is refused, too: the vendor has another reason than the token's age.
	calm = 30 * time.Second
)

// Access implements httpx.Auth. Its errors are *connectors.Error.
func (s *Source) Access(ctx context.Context) (httpx.Access, error) {
	t, err := s.load(ctx)
	if err != nil {
		return httpx.Access{}, err
	}
	if t.fresh(time.Now()) {
		return access(t), nil
	}
	return s.replace(ctx, t.Access)
}

// Renew implements httpx.Auth.
func (s *Source) Renew(ctx context.Context, stale httpx.Access) (httpx.Access, error) {
	t, err := s.load(ctx)
	if err != nil {
		return httpx.Access{}, err
	}
	if now := access(t); now != stale {
		return now, nil // somebody was faster
	}
	s.mu.Lock()
	hopeless := stale.Authorization == s.mended && time.Since(s.mendedAt) < calm
	s.mu.Unlock()
	if hopeless {
		return httpx.Access{}, s.none("REFUSED_AGAIN", s.p.Vendor+" refuses a new access token, too: access was taken back, or the account is closed")
	}
	next, err := s.replace(ctx, t.Access)
	if err != nil {
		return httpx.Access{}, err
	}
	s.mu.Lock()
	s.mended, s.mendedAt = next.Authorization, time.Now()
	s.mu.Unlock()
	return next, nil
}

// replace renews an access token. All who need it at once share one renewal,
// and its failure.
func (s *Source) replace(ctx context.Context, stale string) (httpx.Access, error) {
	began := time.Now()
	var now token
	err := s.p.Vault.Update(ctx, func(ctx context.Context, old []byte) ([]byte, error) {
		t, err := s.kept(old)
		if err != nil {
			return nil, err
		}
		if t.Access != stale && t.fresh(time.Now()) {
			now = t
			return old, nil
		}
		if err := s.failedSince(began); err != nil {
			return nil, err
		}
		next, fault := s.renew(ctx, t)
		s.mu.Lock()
		s.failed, s.failedAt = fault, time.Now()
		s.mu.Unlock()
		if fault != nil {
			return nil, fault
		}
		now = next
		return s.seal(next)
	})
	if err != nil {
		return httpx.Access{}, s.unkept(err)
	}
	crashpoint.At("oauth.kept")
	return access(now), nil
}

func (s *Source) failedSince(began time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil && s.failedAt.After(began) {
		return s.failed
	}
	return nil
}

// renew trades the refresh token. Without an answer it is sent again: if the
// vendor had replaced the token, only the vendor can still give us the new one,
// and if it had not, nothing has happened. Where a token is refused, the one
// before is tried: the vendor may have forgotten the newest, and whatever a
// vendor does to who sends an old one, there is nothing left to be lost.
func (s *Source) renew(ctx context.Context, t token) (token, *connectors.Error) {
	next, fault := s.trade(ctx, t, t.Refresh)
	if fault != nil && fault.Code == codeRefused && t.Previous != "" {
		if again, other := s.trade(ctx, t, t.Previous); other == nil {
			return again, nil
		}
	}
	return next, fault
}

func (s *Source) trade(ctx context.Context, t token, refresh string) (token, *connectors.Error) {
	q := s.form("grant_type", "refresh_token", "refresh_token", refresh)
	q.Repeatable = true
	crashpoint.At("oauth.begun")
	answer, fault := s.ask(ctx, q)
	crashpoint.At("oauth.answered")
	if fault != nil {
		return token{}, fault
	}
	next := token{Access: answer.Access, Refresh: cmp.Or(answer.Refresh, refresh), Until: answer.until, Site: s.site(answer.Site, t.Site), Account: t.Account}
	if next.Refresh != refresh {
		next.Previous = refresh
	}
	return next, nil
}

// answer is what a token address says.
type answer struct {
	Access  string  `json:"access_token"`
	Refresh string  `json:"refresh_token"`
	Expires float64 `json:"expires_in"` // seconds
	Site    string  `json:"api_domain"`
	until   time.Time
}

func (s *Source) ask(ctx context.Context, q httpx.Request) (answer, *connectors.Error) {
	began := time.Now()
	r, err := s.client.Do(ctx, q)
	if err != nil {
		return answer{}, &connectors.Error{Kind: connectors.Transient, Account: true, Code: "NO_ANSWER", Message: "the access token cannot be renewed: " + err.Error()}
	}
	if r.Status != http.StatusOK {
		return answer{}, s.classify(r)
	}
	var a answer
	if json.Unmarshal(r.Body, &a) != nil || a.Access == "" {
		return answer{}, &connectors.Error{Kind: connectors.Transient, Account: true, Code: "UNREADABLE", Message: s.p.Vendor + "'s answer cannot be read as a token; is base_url right?"}
	}
	if life := time.Duration(a.Expires * float64(time.Second)); life > 0 {
		a.until = began.Add(life - min(early, life/10)).Round(0)
	}
	return a, nil
}

// unkept makes an error of the vault that of the whole account: without it no
// request can be sent.
func (s *Source) unkept(err error) error {
	if e, ok := errors.AsType[*connectors.Error](err); ok {
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &connectors.Error{Kind: connectors.Transient, Message: "the access token was not renewed in time", Err: err}
	}
	return &connectors.Error{Kind: connectors.Transient, Account: true, Code: "NOT_KEPT", Message: "the ledger cannot keep or read the access token: " + err.Error(), Err: err}
}

package admin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"sync"
	"time"
)

const (
	// sessionLife is how long somebody who signed in may stay, whatever they do.
	sessionLife  = 12 * time.Hour
	mostSessions = 1_000 // at a time; of more the one that ends first goes
)

// sessions are who has signed in with a browser. They are kept in memory: a
// restart signs everybody out.
type sessions struct {
	mu sync.Mutex
	of map[[sha256.Size]byte]session // by the hash of the id
}

// session is good as long as its token is that of a user.
type session struct {
	token [sha256.Size]byte // hashed
	until time.Time
}

// begin returns the id of a new session.
func (s *sessions) begin(token [sha256.Size]byte, now time.Time) (id string) {
	id = rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[[sha256.Size]byte]session{}
	}
	if len(s.of) >= mostSessions {
		s.sweep(now)
	}
	s.of[sha256.Sum256([]byte(id))] = session{token, now.Add(sessionLife)}
	return id
}

// sweep takes out sessions that are over, or the one that ends first.
func (s *sessions) sweep(now time.Time) {
	var first [sha256.Size]byte
	var until time.Time
	for id, x := range s.of {
		if now.After(x.until) {
			delete(s.of, id)
		} else if until.IsZero() || x.until.Before(until) {
			first, until = id, x.until
		}
	}
	if len(s.of) >= mostSessions {
		delete(s.of, first)
	}
}

// token is the hashed token with which a session was begun.
func (s *sessions) token(id string, now time.Time) (token [sha256.Size]byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.of[sha256.Sum256([]byte(id))]
	return x.token, ok && now.Before(x.until)
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.of, sha256.Sum256([]byte(id)))
}

// cookieName is the cookie with a session's id. With TLS its prefix has the
// browser take it from this host alone.
func cookieName(r *http.Request) string {
	if r.TLS != nil {
		return "__Host-crmsyncd"
	}
	return "crmsyncd"
}

func sessionOf(r *http.Request) string {
	if c, err := r.Cookie(cookieName(r)); err == nil {
		return c.Value
	}
	return ""
}

// setSession gives the browser a session's id; "" takes it back.
func setSession(w http.ResponseWriter, r *http.Request, id string) {
	c := &http.Cookie{Name: cookieName(r), Value: id, Path: "/", MaxAge: int(sessionLife / time.Second), HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode}
	if id == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// formToken is what forms on pages for somebody carry: another site, or
// somebody else's page, does not know it.
func formToken(key []byte, who string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(who))
	return hex.EncodeToString(m.Sum(nil))
}

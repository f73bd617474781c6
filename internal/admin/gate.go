package admin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// Pages are what a browser is shown beside the API.
type Pages interface {
	// ServeHTTP answers whoever may ask; VisitorOf says who that is.
	http.Handler
	// Refuse says why a page is not shown: 401 asks for a token.
	Refuse(w http.ResponseWriter, r *http.Request, status int, why string)
}

// Visitor is who asks for a page.
type Visitor struct {
	Name   string
	Role   Role
	Signed bool // in, with a token: they can sign out
	// Form is what a form of theirs must send as "form".
	Form string
}

type visitorKey struct{}

// VisitorOf is who asks for a page.
func VisitorOf(ctx context.Context) Visitor {
	v, _ := ctx.Value(visitorKey{}).(Visitor)
	return v
}

// WithVisitor is the context of what v asks for.
func WithVisitor(ctx context.Context, v Visitor) context.Context {
	return context.WithValue(WithActor(ctx, v.Name), visitorKey{}, v)
}

// gate refuses requests whose Host is no name of the admin side, such as those
// of a page that had its name rebound to its address, orders of other sites,
// and those of whoever access does not admit.
type gate struct {
	api      http.Handler
	pages    Pages // nil: there are none
	access   func() *Access
	foreign  *http.CrossOriginProtection
	tries    guesses
	sessions sessions
	key      []byte // of formToken
}

func newGate(api http.Handler, pages Pages, access func() *Access) *gate {
	g := &gate{api: api, pages: pages, access: access, foreign: http.NewCrossOriginProtection(), key: make([]byte, sha256.Size)}
	_, _ = rand.Read(g.key) // it never fails
	return g
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
	} {
		w.Header().Set(name, value)
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	a := g.access()
	if a == nil {
		a = &Access{}
	}
	socket := local != nil && local.Network() == "unix"
	switch near := local == nil || socket || loopback(local); {
	// Also of a socket file: ssh -L takes a browser there. What curl is told as
	// a name for a socket has no dot mostly, and a name of the internet has one.
	case !a.named(r.Host) && (!socket || strings.Contains(r.Host, ".")):
		g.refuse(w, r, http.StatusMisdirectedRequest, "the admin side answers to loopback names and those of its certificate only")
	case !tidy(r.URL.EscapedPath()):
		g.refuse(w, r, http.StatusNotFound, noPath) // where http.ServeMux would redirect
	case g.foreign.Check(r) != nil, !reading(r) && referred(r):
		g.refuse(w, r, http.StatusForbidden, "this came from a page of another site")
	case socket, near && len(a.users) == 0:
		g.admit(w, r, Visitor{Name: actorOf(r.Context()), Role: Operate}, "")
	case len(a.users) == 0:
		g.refuse(w, r, http.StatusForbidden, "the admin side has no users; only this machine may ask it")
	case g.page(r) && reading(r) && (r.URL.Path == "/login" || strings.HasPrefix(r.URL.Path, "/assets/")):
		g.pages.ServeHTTP(w, r)
	case g.page(r) && r.URL.Path == "/login":
		g.signIn(w, r, a)
	default: // first the token: who has a right one is not held up by others at the address
		u, session, ok := g.user(a, r)
		switch {
		case ok && wants(r) <= u.Role:
			g.admit(w, r, Visitor{Name: u.Name, Role: u.Role, Signed: session != ""}, session)
		case ok:
			g.refuse(w, r, http.StatusForbidden, "this token may not do that")
		case g.page(r) && reading(r) && r.Header.Get("Authorization") == "":
			http.Redirect(w, r, "/login?"+url.Values{"to": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
		case g.page(r) && r.Header.Get("Authorization") == "":
			g.refuse(w, r, http.StatusUnauthorized, "you are signed out: sign in, and do it again")
		case !shows(r):
			w.Header().Set("WWW-Authenticate", `Bearer realm="crmsyncd"`)
			g.refuse(w, r, http.StatusUnauthorized, "the token of a user is needed; the commands take it from CRMSYNCD_ADMIN_TOKEN")
		default:
			g.wrong(w, r, "this token is that of no user in admin_access; the commands take theirs from CRMSYNCD_ADMIN_TOKEN")
		}
	}
}

// wrong refuses a token that is that of no user. Only these are counted.
func (g *gate) wrong(w http.ResponseWriter, r *http.Request, why string) {
	from := sender(r.RemoteAddr)
	if g.tries.many(from) {
		w.Header().Set("Retry-After", "10")
		g.refuse(w, r, http.StatusTooManyRequests, "too many wrong tokens from this address; a right one is taken at any time")
		return
	}
	g.tries.wrong(from)
	w.Header().Set("WWW-Authenticate", `Bearer realm="crmsyncd", error="invalid_token"`)
	g.refuse(w, r, http.StatusUnauthorized, why)
}

// tidy reports whether a path has nothing to be cleaned, such as .. or //.
func tidy(p string) bool {
	clean := path.Clean(p)
	return strings.HasPrefix(p, "/") && (p == clean || p == clean+"/" && clean != "/")
}

// referred reports whether a browser that says nothing else of where an order
// comes from names a page of another site.
func referred(r *http.Request) bool {
	from := r.Header.Get("Referer")
	if from == "" || r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		return false
	}
	u, err := url.Parse(from)
	return err != nil || u.Host != r.Host
}

// page reports whether a request is for a page.
func (g *gate) page(r *http.Request) bool {
	switch r.URL.Path {
	case "/metrics", "/healthz", "/readyz", "/api":
		return false
	}
	return g.pages != nil && !strings.HasPrefix(r.URL.Path, "/api/")
}

func reading(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

func (g *gate) refuse(w http.ResponseWriter, r *http.Request, status int, why string) {
	if g.page(r) {
		g.pages.Refuse(w, r, status, why)
		return
	}
	fail(w, status, why)
}

// user is whose token, or for pages whose session, a request shows.
func (g *gate) user(a *Access, r *http.Request) (u User, session string, ok bool) {
	if u, ok = a.user(r); ok || !g.page(r) || r.Header.Get("Authorization") != "" {
		return u, "", ok
	}
	session = sessionOf(r)
	token, ok := g.sessions.token(session, time.Now())
	if !ok {
		return User{}, "", false
	}
	u, ok = a.users[token]
	return u, session, ok
}

// maxForm is the longest form, in bytes.
const maxForm = 64 << 10

// admit serves somebody who may ask.
func (g *gate) admit(w http.ResponseWriter, r *http.Request, v Visitor, session string) {
	if !g.page(r) {
		if !reading(r) && strings.HasPrefix(r.URL.Path, "/api/") && !isJSON(r) {
			g.refuse(w, r, http.StatusUnsupportedMediaType, "orders are sent as Content-Type: application/json")
			return
		}
		g.api.ServeHTTP(w, r.WithContext(WithActor(r.Context(), v.Name)))
		return
	}
	v.Form = formToken(g.key, v.Name+"\x00"+session)
	if !reading(r) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if subtle.ConstantTimeCompare([]byte(r.PostFormValue("form")), []byte(v.Form)) != 1 {
			g.refuse(w, r, http.StatusForbidden, "this form is too old or not of this page: go back, reload, and do it again")
			return
		}
	}
	switch r.URL.Path {
	case "/login":
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case "/logout":
		if reading(r) {
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		g.sessions.end(session)
		setSession(w, r, "")
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	default:
		g.pages.ServeHTTP(w, r.WithContext(WithVisitor(r.Context(), v)))
	}
}

// signIn begins a session for the token of a form.
func (g *gate) signIn(w http.ResponseWriter, r *http.Request, a *Access) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	shown := strings.TrimSpace(r.PostFormValue("token"))
	token := sha256.Sum256([]byte(shown))
	if _, ok := a.users[token]; !ok {
		if shown == "" {
			g.refuse(w, r, http.StatusUnauthorized, "give the token of a user")
			return
		}
		g.wrong(w, r, "this is the token of no user")
		return
	}
	g.sessions.end(sessionOf(r))
	setSession(w, r, g.sessions.begin(token, time.Now()))
	http.Redirect(w, r, Within(r.PostFormValue("to")), http.StatusSeeOther)
}

// Within is a path of this side with its query, or "/" for whatever leads
// elsewhere.
func Within(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return "/"
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
}

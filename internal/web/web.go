// Package web is what an administrator's browser is shown: how the daemon
// fares, events, deliveries, reconcile runs and the audit trail, with the orders
// that people give. It shows what internal/admin knows and does what that does,
// in plain HTML that needs no script.
//
// Who may ask, sign-in and the proof that a form is ours are internal/admin's
// gate; nothing here looks at credentials. Settings and rules are not shown and
// cannot be changed.
package web

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"path"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/doctor"
	"github.com/crmsyncd/crmsyncd/store"
)

// Desk is what the pages show and do; admin.Desk is one.
type Desk interface {
	admin.Operations
	Audits(ctx context.Context, f store.AuditFilter) ([]store.Audit, error)
	DiscardEvents(ctx context.Context, seqs []uint64, reason string) (changed int, err error)
	Preview(ctx context.Context, seqs []uint64) ([]admin.Preview, error)
	Note(ctx context.Context, what string, on []string) error
	Runs(ctx context.Context, f store.RunFilter) ([]store.Run, error)
	Findings(ctx context.Context, id uint64) (admin.RunReport, error)
}

// Judge says what of a Status a person should know, as crmsyncd doctor does.
type Judge func(admin.Status) []doctor.Finding

// Pages are the pages. Make them with New.
type Pages struct {
	desk  Desk
	judge Judge
	mux   *http.ServeMux
}

var _ admin.Pages = (*Pages)(nil)

//go:embed assets pages
var files embed.FS

// New returns the pages of a desk. judge may be nil: nothing is judged then.
func New(desk Desk, judge Judge) *Pages {
	p := &Pages{desk: desk, judge: judge, mux: http.NewServeMux()}
	page := func(pattern string, show func(*http.Request) (*view, error)) {
		p.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { p.answer(w, r, show) })
	}
	page("GET /{$}", p.overview)
	page("GET /login", func(r *http.Request) (*view, error) { return signIn(r, ""), nil })
	page("GET /events", p.events)
	page("GET /events/{id}", p.event)
	page("POST /events/{id}/values", p.values)
	page("GET /deliveries", p.deliveries)
	page("GET /reconcile", p.runs)
	page("GET /reconcile/{id}", p.run)
	page("GET /audit", p.audit)
	for name, o := range orders {
		page("GET /"+name, func(r *http.Request) (*view, error) { return p.ask(r, name, o) })
		p.mux.HandleFunc("POST /"+name, func(w http.ResponseWriter, r *http.Request) { p.give(w, r, name, o) })
	}
	p.mux.HandleFunc("GET /assets/{file}", asset)
	p.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			p.Refuse(w, r, http.StatusMethodNotAllowed, "this is not done here")
			return
		}
		p.Refuse(w, r, http.StatusNotFound, "there is no such page")
	})
	return p
}

// policy is what the browser may load and do on a page: our own style, script
// and pictures, and forms to us.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// pageTime bounds what a page may take: a filter that few events of a large
// ledger pass reads all of them.
const pageTime = 20 * time.Second

// ServeHTTP implements admin.Pages.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), pageTime)
	defer cancel()
	p.mux.ServeHTTP(w, r.WithContext(ctx))
}

// Refuse implements admin.Pages.
func (p *Pages) Refuse(w http.ResponseWriter, r *http.Request, status int, why string) {
	v := &view{page: "refused", Title: http.StatusText(status), Body: why}
	if status == http.StatusUnauthorized {
		v = signIn(r, why)
	}
	render(w, r, status, v)
}

// signIn is the page that asks for a token, and says why. It reads no body, as
// anybody may ask for it: the form of one that signs in was read, within bounds.
func signIn(r *http.Request, why string) *view {
	to := r.URL.Query().Get("to")
	switch {
	case r.URL.Path != "/login":
		to = r.URL.RequestURI()
	case r.PostForm.Has("to"):
		to = r.PostForm.Get("to")
	}
	return &view{page: "login", Title: "Sign in", Body: struct{ To, Why string }{admin.Within(to), why}}
}

// wrong is an error of whoever asks.
type wrong struct{ error }

// answer shows a page, or why there is none.
func (p *Pages) answer(w http.ResponseWriter, r *http.Request, show func(*http.Request) (*view, error)) {
	v, err := show(r)
	var bad wrong
	switch {
	case errors.As(err, &bad), errors.As(err, new(admin.Mistake)):
		p.Refuse(w, r, http.StatusBadRequest, err.Error())
	case errors.Is(err, store.ErrNotFound):
		p.Refuse(w, r, http.StatusNotFound, "it is not in the ledger, or not any more")
	case errors.Is(err, context.DeadlineExceeded):
		p.Refuse(w, r, http.StatusServiceUnavailable, "this takes too long: ask for less, such as a shorter time")
	case err != nil:
		p.Refuse(w, r, http.StatusInternalServerError, err.Error())
	default:
		render(w, r, http.StatusOK, v)
	}
}

// view is what a page is made of.
type view struct {
	page string // its template

	Title   string
	Nav     string // which entry of the menu it belongs to
	Live    int    // it is shown anew every so many seconds; 0: never
	Said    string // what was just done
	Visitor admin.Visitor
	Now     time.Time
	Body    any
}

// pages are the templates by name; each has the layout. They are read when the
// first page is asked for: most that the program does needs none.
var pages = sync.OnceValue(func() map[string]*template.Template {
	layout := template.Must(template.New("layout.html").Funcs(words).ParseFS(files, "pages/layout.html"))
	list, err := files.ReadDir("pages")
	if err != nil {
		panic(err) // they are embedded
	}
	out := map[string]*template.Template{}
	for _, f := range list {
		if name := f.Name(); name != "layout.html" {
			out[name[:len(name)-len(path.Ext(name))]] = template.Must(template.Must(layout.Clone()).ParseFS(files, "pages/"+name))
		}
	}
	return out
})

func render(w http.ResponseWriter, r *http.Request, status int, v *view) {
	v.Visitor, v.Now = admin.VisitorOf(r.Context()), time.Now()
	var out bytes.Buffer
	if err := pages()[v.page].ExecuteTemplate(&out, "layout.html", v); err != nil {
		http.Error(w, "the page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // who hangs up sees nothing
}

// types are the kinds of assets by the ends of their names.
var types = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// asset sends a file that pages load. It goes with the program, and the reload
// of a page should show the one that belongs to it: nothing is cached.
func asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	text, err := files.ReadFile("assets/" + name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", types[path.Ext(name)])
	_, _ = w.Write(text)
}

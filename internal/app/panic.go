package app

import (
	"fmt"
	"net/http"

	"github.com/crmsyncd/crmsyncd/internal/caught"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// answered has a handler that panics answer 500, where nothing is answered yet.
func (a *App) answered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := &begun{ResponseWriter: w}
		a.guard(next, begun, r, func() {
			if begun.wrote {
				panic(http.ErrAbortHandler) // what was written is not whole
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte("{\"error\":\"crmsyncd itself went wrong; its log has the place\"}\n"))
		})
	})
}

// cutOff has a handler that panics end the connection. The receiver answers
// itself where it can; what is left here comes before or after that.
func (a *App) cutOff(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.guard(next, w, r, func() { panic(http.ErrAbortHandler) })
	})
}

// guard logs the place of a panic. Left to net/http, the log would have the
// value, which may quote the request.
func (a *App) guard(next http.Handler, w http.ResponseWriter, r *http.Request, then func()) {
	defer func() {
		v := recover()
		if v == http.ErrAbortHandler {
			panic(v)
		}
		if p := caught.Of(v); p != nil {
			a.log.Error("a request made crmsyncd panic; please report this", "method", r.Method, "err", p, "stack", p.Stack)
			then()
		}
	}()
	next.ServeHTTP(w, r)
}

// begun knows whether an answer has begun.
type begun struct {
	http.ResponseWriter
	wrote bool
}

// Unwrap is for http.ResponseController.
func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (b *begun) WriteHeader(status int) {
	b.wrote = true
	b.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (b *begun) Write(p []byte) (int, error) {
	b.wrote = true
	return b.ResponseWriter.Write(p)
}

// build is Build, of which a panic is a problem of the files: the settings in
// force stay.
func (a *App) build() (next *Setup, problems diag.Problems) {
	defer func() {
		if p := caught.Of(recover()); p != nil {
			a.log.Error("reading the settings panicked; please report this", "err", p, "stack", p.Stack)
			next, problems = nil, diag.Problems{{Message: "crmsyncd itself went wrong in reading the settings; its log has the place"}}
		}
	}()
	return Build(a.path, a.version, a.logger)
}

// lasting is work that goes on as long as the daemon. It is needed: with a panic
// in it the daemon ends in good order, and the service manager begins it anew.
func (a *App) lasting(what string, work func()) func() {
	return func() {
		defer func() {
			if p := caught.Of(recover()); p != nil {
				a.log.Error(what+" panicked, and the daemon ends; please report this", "err", p, "stack", p.Stack)
				a.failed(fmt.Errorf("crmsyncd itself went wrong in %s: %w", what, p))
			}
		}()
		work()
	}
}

package fidelity

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Exchange is one request to a vendor's API and its answer.
type Exchange struct {
	Method      string
	Path        string // the vendor's own, with its leading slash
	Query       url.Values
	ContentType string
	Body        []byte
	Status      int
	Answer      []byte
}

func (e Exchange) String() string { return fmt.Sprintf("%s %s: %d", e.Method, e.Path, e.Status) }

// Watch hands every exchange below prefix to seen, after the answer was
// written. A reply that is lost on purpose has nothing to compare and is left
// out. seen is called by many goroutines at once.
func Watch(next http.Handler, prefix string, seen func(Exchange)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		below, ours := strings.CutPrefix(r.URL.Path, prefix)
		if !ours || !strings.HasPrefix(below, "/") {
			next.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body) // what is missing, the handler refuses
		r.Body = io.NopCloser(bytes.NewReader(body))
		tee := &teeWriter{ResponseWriter: w}
		defer func() {
			if tee.status != 0 { // a lost reply is cut by Hijack
				seen(Exchange{r.Method, below, r.URL.Query(), r.Header.Get("Content-Type"), body, tee.status, tee.body.Bytes()})
			}
		}()
		next.ServeHTTP(tee, r)
	})
}

// teeWriter keeps what was answered.
type teeWriter struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (w *teeWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *teeWriter) Write(b []byte) (int, error) {
	w.body.Write(b)
	return w.ResponseWriter.Write(b)
}

func (w *teeWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// places finds the item of the path that fits with the fewest {names}.
type places[T any] map[int][]place[T] // by number of segments

type place[T any] struct {
	segments []string
	item     T
}

func (ps places[T]) add(path string, item T) {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	ps[len(segments)] = append(ps[len(segments)], place[T]{segments, item})
}

func (ps places[T]) find(segments []string) (best T, found bool) {
	fewest := len(segments) + 1
	for _, p := range ps[len(segments)] {
		names, fits := 0, true
		for i, s := range p.segments {
			if strings.HasPrefix(s, "{") {
				names++
			} else if s != segments[i] {
				fits = false
			}
		}
		if fits && names < fewest {
			best, fewest, found = p.item, names, true
		}
	}
	return best, found
}

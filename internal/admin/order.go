package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

// Mistake is an error of whoever asks: nothing was done, and asking the same
// again will not help.
type Mistake struct{ Why string }

// Error implements error.
func (m Mistake) Error() string { return m.Why }

// maxText is the length of a text that a person gives, in characters.
const maxText = 500

// CheckReason reports, as a Mistake, what is wrong with a reason that a person
// gives: there must be one, of one line that shows as it is written.
func CheckReason(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return Mistake{"say why: give a reason, which is kept with them and in the audit trail"}
	}
	return checkText("the reason", reason)
}

func checkText(name, s string) error {
	switch {
	case utf8.RuneCountInString(s) > maxText:
		return Mistake{fmt.Sprintf("%s has more than %d characters; make it shorter", name, maxText)}
	case !utf8.ValidString(s) || strings.ContainsFunc(s, Hidden):
		return Mistake{name + " holds line breaks, tabs or other characters that do not show; write it as one line of plain text"}
	}
	return nil
}

// Hidden reports whether a character moves or hides others instead of being
// shown: on a terminal it could forge what a listing says.
func Hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// readOrder reads the body of an order, and answers for itself where it is none;
// shape says what it should be. An unknown key is refused: a word that is
// misspelt must not make an order wider.
func readOrder(w http.ResponseWriter, r *http.Request, into any, shape string) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more follows")
		}
	}
	if err == nil {
		return true
	}
	if key, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		shape += "; there is no key " + key
	}
	fail(w, http.StatusBadRequest, "the body must be "+shape)
	return false
}

// isJSON reports whether a request says that its body is JSON, which no form
// of another site's page can.
func isJSON(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// noPath is the answer where no route is.
const noPath = "there is no such path"

// elsewhere answers what no route does: there is no such path, or not with this
// method.
func elsewhere(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			other := r.Clone(r.Context())
			other.Method = method
			if _, pattern := mux.Handler(other); pattern != "/" {
				w.Header().Set("Allow", method)
				fail(w, http.StatusMethodNotAllowed, "this path is asked by "+method)
				return
			}
		}
		fail(w, http.StatusNotFound, noPath)
	}
}

// States and origins that lists are filtered by.
var (
	eventStates    = []store.State{store.Waiting, store.Done, store.Unmatched, store.Quarantined, store.Dead, store.Discarded}
	deliveryStates = []store.State{store.Waiting, store.Done, store.Dead, store.Discarded}
	origins        = []event.Origin{event.Webhook, event.Backfill, event.Reconcile, event.Replay}
)

// oneOf refuses a word that is none of those known: it is not to be taken for an
// empty answer.
func oneOf[T ~string](name string, word T, known []T) error {
	if word == "" || slices.Contains(known, word) {
		return nil
	}
	list := make([]string, len(known))
	for i, k := range known {
		list[i] = string(k)
	}
	return fmt.Errorf("%s is one of %s", name, strings.Join(list, ", "))
}

func checkEventFilter(f store.EventFilter) error {
	return errors.Join(oneOf("state", f.State, eventStates), oneOf("type", f.Type, event.Types), oneOf("origin", f.Origin, origins))
}

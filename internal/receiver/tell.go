package receiver

import (
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// hints say what to do about a refusal, by its reason.
var hints = map[string]string{
	"bad_signature":    "the signature fits no signing_secret of this source; compare it with the one that the sender shows",
	"no_signature":     "the request carries no signature; either the sender does not sign, or it is not the sender",
	"old_timestamp":    "the signature is right but its time is over 5 minutes ago; check this machine's clock",
	"future_timestamp": "the signature is right but its time is over 5 minutes ahead; check this machine's clock",
	"too_large":        "raise limits.body if the sender is to be trusted with it",
	"store_time":       "the disk is slow or the ledger is busy",
	"disk_full":        "make room on the disk of data_dir",
	"busy":             "more webhooks come than can be stored; raise limits.in_flight if the disk allows",
	"memory":           "many large bodies come at one time; raise limits.buffered if there is memory",
}

// tell logs a request that was not accepted: at once for the first of its
// kind, then once a minute with the number left out, so that nobody can fill
// the log from outside. Nothing of the request is in it.
func (r *Receiver) tell(source string, req *http.Request, a answer) {
	if a.result != "refused" && a.result != "failed" {
		return
	}
	more, ok := r.quiet.pass(source+" "+a.reason, r.Now())
	if !ok {
		return
	}
	level, message := slog.LevelWarn, "a webhook was refused"
	if a.result == "failed" {
		level, message = slog.LevelError, "a webhook could not be stored; the sender is asked to come again"
	}
	attrs := []any{"source", source, "reason", a.reason, "status", a.status}
	if more > 0 {
		attrs = append(attrs, "since_last_line", more)
	}
	hint := hints[a.reason]
	if source == "" {
		level, message = slog.LevelDebug, "a request to an unknown path"
		if near := r.nearest(req); near != "" {
			level, hint = slog.LevelWarn, "the path is wrong; webhooks of this source belong to "+near
		}
	}
	if hint != "" {
		attrs = append(attrs, "hint", hint)
	}
	if a.err != nil {
		attrs = append(attrs, "error", a.err)
	}
	r.Log.Log(req.Context(), level, message, attrs...)
}

// every is how often a line of one kind is logged.
const every = time.Minute

// quiet lets one line of each kind through in a while. Kinds are names from
// the settings with fixed words, so there are few.
type quiet struct {
	mu    sync.Mutex
	kinds map[string]*kind
}

type kind struct {
	last time.Time
	held int
}

// pass reports whether a line may be logged now, and how many of its kind were
// held back since the last.
func (q *quiet) pass(name string, now time.Time) (held int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	k := q.kinds[name]
	switch {
	case k == nil:
		if q.kinds == nil {
			q.kinds = map[string]*kind{}
		}
		q.kinds[name] = &kind{last: now}
		return 0, true
	case now.Sub(k.last) < every:
		k.held++
		return 0, false
	}
	held = k.held
	*k = kind{last: now}
	return held, true
}

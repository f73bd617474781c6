package receiver

import (
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/sources"
)

// hints say what to do about a refusal, by its reason.
var hints = map[string]string{
	"bad_signature":        "the signature fits no key of this source in the settings; compare them with what the sender shows",
	"no_signature":         "the request carries no signature; either the sender does not sign, or it is not the sender",
	"incomplete_signature": "the signature's headers are not all there; if a proxy in front takes some of them away, let it pass them on",
	"repeated_header":      "a header that proves the sender is there more than once; if a proxy in front adds to it, let it pass on what it gets",
	"repeated_timestamp":   "the signature's header holds the time more than once, which no sender does",
	"bad_timestamp":        "the time of the signature is missing or cannot be read; compare the settings with what the sender says of its headers",
	"bad_message_id":       "the id of the message is empty or too long, which no sender does",
	"bad_algorithm":        "the body is a token that is not signed with HS256; choose that at the sender, or it is not the sender",
	"old_timestamp":        "the signature is right but its time is longer ago than this source allows, or over; check this machine's clock",
	"future_timestamp":     "the signature is right but its time is further ahead than this source allows; check this machine's clock",
	"no_token":             "the request carries a token neither at the end of the address nor in a header; give the sender the address with the token, or it is not the sender",
	"wrong_token":          "the token, at the end of the address or in a header, is none of this source's; give the sender the address with the token of the settings",
	"no_secret":            "the header or field in which this source's settings expect the secret is not there; compare auth with what the sender says of it, or it is not the sender",
	"wrong_secret":         "the header or field of the secret holds another one than the settings; compare them with what the sender shows",
	"address":              "the address in from is not in allow_from; behind a reverse proxy, name the proxy in trusted_proxies",
	"rate":                 "more webhooks come than this source's limits.rate allows",
	"method":               "webhooks are sent with POST; somebody opened the address in a browser, or the sender is set to another method",
	"content_type":         "set the sender to JSON, or to what this vendor sends otherwise",
	"content_encoding":     "bodies must not be compressed; switch that off at the sender or the proxy in front",
	"too_large":            "raise limits.body if the sender is to be trusted with it",
	"slow_body":            "the body took longer than limits.body_time; the line to the sender, or to the proxy in front, is slow",
	"broken_body":          "the connection broke while the body was being sent; the sender will come again",
	"store_time":           "the disk is slow or the ledger is busy",
	"store":                "the ledger cannot be written; crmsyncd doctor says more",
	"disk_full":            "make room on the disk of data_dir",
	"busy":                 "more webhooks come than can be stored; raise limits.in_flight if the disk allows",
	"memory":               "many large bodies come at one time; raise limits.buffered if there is memory",
	"panic":                "this is a mistake in crmsyncd; the line before says where, please report it",
	"error":                "the source refused the request without saying why; please report it",
}

// tell logs a request that was not accepted: at once for the first of its
// kind, then once a minute with the number left out, so that nobody can fill
// the log from outside. Nothing of the request is in it but, where it is the
// matter, the address that it came from.
func (r *Receiver) tell(source string, req *http.Request, a answer) {
	if a.result != "refused" && a.result != "failed" {
		return
	}
	near := "" // apart from other unknown paths, of which there is always one
	if source == "" {
		near = r.nearest(req)
	}
	more, ok := r.quiet.pass(source+" "+a.reason+" "+near, r.Now())
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
	if a.reason == "address" {
		attrs = append(attrs, "from", sender(req, r.TrustedProxies))
	}
	hint := hints[a.reason]
	if w, ok := r.Sources()[source].Source.(sources.Warner); ok && a.result == "refused" {
		if warning := w.Warning(a.reason); warning != "" {
			level, hint = slog.LevelError, warning
		}
	}
	if source == "" {
		level, message = slog.LevelDebug, "a request to an unknown path"
		if near != "" {
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

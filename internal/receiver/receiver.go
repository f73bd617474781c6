// Package receiver is the public port: it takes webhooks, has their source
// prove the sender, and answers 200 only after the event is in the ledger. It
// maps nothing, calls no CRM, and shows nothing but /healthz.
package receiver

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/caught"
	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/internal/trace"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

// Source is a source as the receiver sees it.
type Source struct {
	Name   string
	Vendor string // its type
	Source sources.Source
	// Guard is whom to admit; nil: everybody that Source proves. Where it asks
	// for no token, /hooks/{source}/{token} does not exist.
	Guard *sources.Guard
	// Apart says that nothing proves who sends: what comes is never taken for
	// what another source of the vendor may send.
	Apart bool
	// MaxBody is the size of the largest body in bytes; 0: that of Limits.
	MaxBody int64
	// Rate limits authentic requests; nil: no limit.
	Rate *rate.Limiter
	// Slots limits requests being stored to its capacity; nil: no limit beside
	// that of Limits.
	Slots chan struct{}
}

// Limits bound what is taken. Zero fields have the defaults named.
type Limits struct {
	Body        int64         // bytes of a body; 8 MiB
	InFlight    int           // requests being stored; 512
	Buffered    int64         // bytes of all bodies being received; 256 MiB
	Connections int           // open connections, for Listen; 2048
	PerAddress  int           // those from one address, or /64 of IPv6, for Listen; 512
	HeaderTime  time.Duration // to send a header; 5 s
	BodyTime    time.Duration // to send a body; 15 s
	IdleTime    time.Duration // of an idle connection; 60 s
	StoreTime   time.Duration // to get an event on disk; 4 s: respond.io waits 5 s (docs, 2026-11)
}

func (l Limits) filled() Limits {
	fill(&l.Body, 8<<20)
	fill(&l.InFlight, 512)
	fill(&l.Buffered, 256<<20)
	fill(&l.Connections, 2048)
	fill(&l.PerAddress, 512)
	fill(&l.HeaderTime, 5*time.Second)
	fill(&l.BodyTime, 15*time.Second)
	fill(&l.IdleTime, time.Minute)
	fill(&l.StoreTime, 4*time.Second)
	return l
}

func fill[T comparable](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}

// Options are what a Receiver works with. Sources and Append are needed.
type Options struct {
	// Sources returns the sources in force; it is called for every request, so
	// that a reload counts at once. The map must not be changed afterwards.
	Sources func() map[string]Source
	// Append keeps an event; it returns when the event is on disk.
	Append         func(context.Context, store.Event) (store.Receipt, error)
	Limits         Limits
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	PublicURL      *url.URL       // how senders reach us; nil: as their requests say
	Now            func() time.Time
	Log            *slog.Logger
	Spans          *trace.Recorder // may be nil
	// Observe is told of every request to a hook: the source's name ("" if
	// there is none), the result (accepted, duplicate, unknown, quarantined,
	// refused, failed, greeted), the reason of the last two, and the time it took. All
	// are of fixed sets.
	Observe func(source, result, reason string, took time.Duration)
}

// Receiver serves the public port.
type Receiver struct {
	Options
	slots    chan struct{}
	buffered atomic.Int64
	quiet    quiet
}

// New makes a Receiver.
func New(o Options) *Receiver {
	o.Limits = o.Limits.filled()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(string, string, string, time.Duration) {}
	}
	return &Receiver{Options: o, slots: make(chan struct{}, o.Limits.InFlight)}
}

// ServeHTTP answers one request.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	// The tail of a chunked request whose length was also declared otherwise
	// must never be read as a second request.
	if req.ProtoMajor == 1 && req.ContentLength < 0 {
		w.Header().Set("Connection", "close")
	}
	if req.URL.EscapedPath() == "/healthz" {
		health(w, req)
		return
	}
	start := r.Now()
	name, a := r.hook(w, req, start)
	if a.close {
		w.Header().Set("Connection", "close")
	}
	a.write(w)
	crashpoint.At("receive.answered")
	r.Observe(name, a.result, a.reason, r.Now().Sub(start))
	r.tell(name, req, a)
}

func health(w http.ResponseWriter, req *http.Request) {
	switch req.Method {
	case http.MethodGet, http.MethodHead:
		write(w, http.StatusOK, `{"status":"ok"}`)
	default:
		w.Header().Set("Allow", "GET, HEAD")
		write(w, http.StatusMethodNotAllowed, `{"error":"method not allowed"}`)
	}
}

// hook takes a webhook: route, size, proof, ledger, answer, in this order.
func (r *Receiver) hook(w http.ResponseWriter, req *http.Request, at time.Time) (name string, a answer) {
	src, token, ok := r.route(req)
	if !ok {
		return "", refused(http.StatusNotFound, "not_found", "not found")
	}
	defer func() {
		v := recover()
		if v == http.ErrAbortHandler {
			panic(v)
		}
		if p := caught.Of(v); p != nil {
			r.panicked(src.Name, "receiver", p)
			name, a = src.Name, failed("panic", 30)
		}
	}()
	getter, _ := src.Source.(sources.Getter)
	switch {
	case req.Method == http.MethodGet && getter != nil:
		a := answer{status: http.StatusOK, result: "greeted"}
		a.contentType, a.body = getter.Get()
		return src.Name, a
	case req.Method != http.MethodPost:
		a := refused(http.StatusMethodNotAllowed, "method", "method not allowed")
		a.allow = http.MethodPost
		return src.Name, a
	case !src.takes(req.Header["Content-Type"]):
		return src.Name, refused(http.StatusUnsupportedMediaType, "content_type", "content type not supported, send "+src.types())
	case !isPlain(req.Header["Content-Encoding"]):
		return src.Name, refused(http.StatusUnsupportedMediaType, "content_encoding", "content encoding not supported")
	}
	limit := src.MaxBody
	fill(&limit, r.Limits.Body)
	crashpoint.At("receive.begun")
	body, release, a := r.body(w, req, limit)
	defer release()
	if a.status != 0 {
		return src.Name, a
	}
	for _, slots := range []chan struct{}{r.slots, src.Slots} {
		if slots == nil {
			continue
		}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			return src.Name, failed("busy", 1)
		}
	}
	if strings.HasPrefix(req.Header.Get("Content-Type"), ownTypes) {
		req.Header.Set("Content-Type", "application/json") // only we write those
	}
	request := &sources.Request{
		Method: req.Method, Token: token, Header: req.Header, Body: body,
		Remote: sender(req, r.TrustedProxies), At: at.UTC().Truncate(time.Microsecond), URL: r.address(req),
	}
	if src.Guard != nil {
		if err := src.Guard.Check(request); err != nil {
			return src.Name, refusal(err)
		}
	}
	if err := src.Source.Authenticate(request); err != nil {
		return src.Name, refusal(err)
	}
	if src.Rate != nil && !src.Rate.Allow() {
		a := refused(http.StatusTooManyRequests, "rate", "too many requests")
		a.retryAfter = 1
		return src.Name, a
	}
	a = r.keep(req.Context(), src, request)
	if answerer, ok := src.Source.(sources.Answerer); ok && a.status == http.StatusOK {
		a.contentType, a.body = answerer.Answer(src.addressed(request))
	}
	return src.Name, a
}

// keep parses the request and puts it on disk. What parsing says decides only
// the word in the answer, never whether the sender is told to come again.
func (r *Receiver) keep(ctx context.Context, src Source, request *sources.Request) answer {
	parsed := r.parse(src, request)
	parsed.ContentKey = src.Key(parsed.ContentKey)
	e := Stored(src.Name, src.Vendor, event.Webhook, request, parsed)
	if !src.Apart { // who is not proven chooses no trace
		e.Trace = trace.Read(request.Header)
	}
	handed := r.Now()
	a := r.store(ctx, e, parsed)
	if r.Spans != nil {
		r.Spans.Webhook(e.InTrace(), e.Trace, trace.Webhook{
			Source: src.Name, Event: a.event, Result: a.result, Status: a.status, Began: request.At, Parsed: handed, Ended: r.Now(),
		})
	}
	return a
}

// store puts an event on disk.
func (r *Receiver) store(ctx context.Context, e store.Event, parsed sources.Parsed) answer {
	// A sender that hangs up must not take its event with it: it would only
	// come again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Limits.StoreTime)
	defer cancel()
	crashpoint.At("receive.read")
	receipt, err := r.Append(ctx, e)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return failed("store_time", 5)
	case errors.Is(err, store.ErrFull):
		return failed("disk_full", 60)
	case err != nil:
		a := failed("store", 10)
		a.err = err
		return a
	}
	crashpoint.At("receive.kept")
	a := answer{status: http.StatusOK, result: "accepted", event: store.EventID(receipt.Seq)}
	switch {
	case receipt.Duplicate:
		a.result = "duplicate"
	case parsed.Problem != "" || receipt.Conflict:
		a.result = "quarantined"
	case parsed.Event.Type == event.Unknown:
		a.result = "unknown"
	}
	return a
}

// parse has the source read the request. A source that panics against its
// promise loses nothing: the event goes to quarantine.
func (r *Receiver) parse(src Source, request *sources.Request) (p sources.Parsed) {
	defer func() {
		if c := caught.Of(recover()); c != nil {
			r.panicked(src.Name, "parser", c)
			p = sources.Parsed{Event: &event.Event{Type: event.Unknown}, Problem: "the parser of this source broke off"}
		}
	}()
	p = src.Source.Parse(request)
	if p.Event == nil {
		p.Event = &event.Event{Type: event.Unknown}
	}
	return p
}

func (r *Receiver) panicked(source, where string, p *caught.Panic) {
	r.Log.Error("a webhook made the "+where+" panic; please report this", "source", source, "err", p, "stack", p.Stack)
}

// answer is what a request is told, and what is counted and logged of it.
type answer struct {
	status     int
	result     string // for Observe; also the status in the body of a 200
	reason     string
	message    string // to the sender, where it is refused
	event      string // its id
	allow      string
	retryAfter int // seconds
	close      bool
	err        error // for the log

	contentType string // of body
	body        []byte // in place of our own; of a 200
}

func refused(status int, reason, message string) answer {
	return answer{status: status, result: "refused", reason: reason, message: message}
}

// Failures are the reasons of webhooks that failed.
func Failures() []string {
	return []string{"busy", "disk_full", "memory", "panic", "store", "store_time"}
}

// failed is our own fault; the sender is asked to come again.
func failed(reason string, retryAfter int) answer {
	return answer{status: http.StatusServiceUnavailable, result: "failed", reason: reason, message: "try again later", retryAfter: retryAfter}
}

func refusal(err error) answer {
	var r *sources.Refusal
	switch {
	case errors.As(err, &r) && r.Status == http.StatusForbidden:
		return refused(http.StatusForbidden, r.Reason, "address not allowed")
	case errors.As(err, &r):
		return refused(http.StatusUnauthorized, r.Reason, "not authentic")
	}
	return refused(http.StatusUnauthorized, "error", "not authentic")
}

func (a answer) write(w http.ResponseWriter) {
	if a.allow != "" {
		w.Header().Set("Allow", a.allow)
	}
	if a.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(a.retryAfter))
	}
	if len(a.body) > 0 {
		w.Header()["Content-Type"] = []string{a.contentType}
		w.Header()["X-Content-Type-Options"] = []string{"nosniff"}
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body)
		return
	}
	if a.status == http.StatusOK {
		write(w, a.status, `{"status":"`+a.result+`","event_id":"`+a.event+`"}`)
		return
	}
	text, _ := json.Marshal(a.message) // a string can always be written
	write(w, a.status, `{"error":`+string(text)+`}`)
}

func write(w http.ResponseWriter, status int, body string) {
	h := w.Header()
	h["Content-Type"] = []string{"application/json"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body + "\n")) // the sender is gone; it will come again
}

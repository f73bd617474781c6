// Package sources is the contract between the receiver and the vendors whose
// webhooks come in: prove the sender, and read the payload into the common
// model. Every vendor has a folder below this one. Beside the contract stands
// what vendors share: Standard Webhooks signatures, strict reading of JSON,
// phone numbers. Nothing here stores events or answers requests.
package sources

import (
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
)

// Request is one webhook as it came, its body read whole.
type Request struct {
	Method string
	URL    *url.URL    // as the sender called it, scheme and host included; nil where an event is read from the ledger
	Token  string      // last part of the path of POST /hooks/{source}/{token}; "" if there is none
	Header http.Header // as received
	Body   []byte      // raw bytes; they must not be changed
	Remote netip.Addr  // of the sender, trusted proxies taken off
	At     time.Time   // when it came
}

// Source is one configured sender. It is safe for concurrent use and keeps no
// state between requests.
type Source interface {
	// Authenticate returns nil if the request proves its sender, else a
	// *Refusal. It takes the same time whichever part of a signature is wrong.
	// Tokens and addresses are a Guard's; a vendor that signs nothing returns
	// nil always and is Unsigned.
	Authenticate(*Request) error

	// Parse reads an authentic request. It never fails and never panics: what
	// cannot be understood comes back with Problem set and is kept as it is.
	// For the same Body, Content-Type and At it always gives the same answer,
	// as events are read again from the ledger when they are delivered.
	Parse(*Request) Parsed
}

// Signer is a Source that can make a request which it would accept: for
// `crmsyncd send`, the demo and tests. A Source that is not one asks for no
// signature.
type Signer interface {
	// Sign adds what proves the sender to r, whose URL, Header and Body are
	// set, as if sent at that time under that delivery id. It may put another
	// Body in place, where the vendor's is itself signed.
	Sign(r *Request, id string, at time.Time) error
}

// Unsigned is a Source whose vendor proves nothing by itself, so that settings
// must give a token or addresses.
type Unsigned interface {
	// Unsigned reports whether nothing in a request proves its sender, and the
	// addresses that the vendor sends from, which count where settings name
	// neither token nor addresses.
	Unsigned() (unsigned bool, from []netip.Prefix)
}

// Located is a Source that may have to know the address it was called at as the
// sender wrote it, which a proxy in front hides.
type Located interface {
	// SignsAddress reports whether a signature covers the address.
	SignsAddress() bool
}

// Typed is a Source that also takes other bodies than JSON.
type Typed interface {
	// Takes reports whether bodies of the media type (lower case, without
	// parameters; "" for a header that cannot be read) are taken. JSON always is.
	Takes(mediaType string) bool
}

// Answerer is a Source whose vendor reads what it is answered.
type Answerer interface {
	// Answer returns the body that an accepted request is answered with, 200,
	// in place of crmsyncd's own; no body leaves it.
	Answer(*Request) (contentType string, body []byte)
}

// Getter is a Source whose vendor, or its address's tester, also sends GET.
// Nothing of it is kept or proven: the answer must be harmless.
type Getter interface {
	Get() (contentType string, body []byte)
}

// Closer is a Source whose calls come as several events, of which the last may
// never arrive.
type Closer interface {
	// CloseAfter is how long after its last event a call is closed without
	// one; 0: never.
	CloseAfter() time.Duration
}

// Warner is a Source whose vendor punishes refusals, so that the first one is
// worth an alarm.
type Warner interface {
	// Warning says what a refusal for that reason leads to, and what to do; ""
	// if the reason needs no alarm.
	Warning(reason string) string
}

// Parsed is what a request says.
type Parsed struct {
	// Event is never nil. Its Type is event.Unknown if the vendor's event is
	// not known. ID, Source, Vendor, ReceivedAt, Origin and Raw are filled in
	// by the caller where they are empty.
	Event *event.Event
	// DeliveryID is the vendor's id of this message, the same over its
	// retries; "" if the vendor has none.
	DeliveryID string
	// ContentKey identifies the occurrence, whichever way it comes: retry,
	// second endpoint or backfill. It begins with the vendor's name; "" if the
	// payload names nothing to tell occurrences apart.
	ContentKey string
	// Calls are the ids of the calls that the event is a part of, its own
	// first, where a call is told by several events: those are joined (see
	// event.Join). Empty where one event tells it all.
	Calls []string
	// Sense is the payload in one spelling, where the proof covers several: who
	// holds one request could else send it as another. nil is the Body.
	Sense []byte
	// Alike is how to find the call where webhooks and the vendor's read API
	// give it different ids; nil where they do not.
	Alike *Alike
	// Problem says why an authentic payload could not be understood; "" if it
	// was. It never quotes the payload.
	Problem string
}

// Refusal is why a request was not accepted. Reason is for logs and metrics:
// short, of a fixed set, and without anything from the request.
type Refusal struct {
	Status int // 401 not authentic, 403 address not allowed
	Reason string
}

// Error gives the reason.
func (r *Refusal) Error() string { return r.Reason }

// Unauthentic is a Refusal with status 401.
func Unauthentic(reason string) *Refusal { return &Refusal{http.StatusUnauthorized, reason} }

// Sampler is a Source that can make up payloads as its vendor sends them, with
// invented people: for `crmsyncd send`, the demo and benchmarks.
type Sampler interface {
	// Samples names the kinds of payload.
	Samples() []string
	// Sample makes one of a kind; n chooses the person and the call, at is when
	// it happened. The same arguments give the same payload.
	Sample(kind string, n int, at time.Time) ([]byte, error)
}

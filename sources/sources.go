// Package sources is the contract between the receiver and the vendors whose
// webhooks come in: prove the sender, and read the payload into the common
// model. Every vendor has a folder below this one. Beside the contract stands
// what vendors share: Standard Webhooks signatures, strict reading of JSON,
// phone numbers. Nothing here stores events or answers requests.
package sources

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
)

// Request is one webhook as it came, its body read whole.
type Request struct {
	Method string
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
	Authenticate(*Request) error

	// Parse reads an authentic request. It never fails and never panics: what
	// cannot be understood comes back with Problem set and is kept as it is.
	// For the same Body, Content-Type and At it always gives the same answer,
	// as events are read again from the ledger when they are delivered.
	Parse(*Request) Parsed
}

// Signer is a Source that can make a request which it would accept: for
// `crmsyncd send`, the demo and tests.
type Signer interface {
	// Sign adds what proves the sender to header, for body sent at that time
	// under that delivery id, and returns the token to append to the path
	// ("" for none).
	Sign(header http.Header, body []byte, id string, at time.Time) (token string, err error)
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

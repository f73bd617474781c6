package sources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Reader is a Source whose vendor can also be asked what happened, for what
// webhooks did not say. What it answers are Items: payloads that Parse of the
// same source reads, so that they are kept, replayed and read by mended parsers
// as webhooks are, with the same ContentKey wherever the vendor's read API
// tells enough for it; see Parsed.Alike for where it does not.
type Reader interface {
	// Readable returns nil if the settings hold what asking needs, else an
	// error that names the settings to add.
	Readable() error
	// History returns a page of what happened in the range of q. It may hold
	// things from outside of it. The error is a *ReadError, or the context's.
	History(ctx context.Context, q Query) (Page, error)
}

// StatusReader is a Reader whose vendor keeps a status of contacts.
type StatusReader interface {
	Reader
	// Statuses returns the contacts of those ids, in order. An error that
	// ends it early comes with those before it.
	Statuses(ctx context.Context, ids []string, turn Turn) ([]Status, error)
}

// Turn returns when one more request may be sent, beside the source's own
// limit, or with the context's error; nil does not wait.
type Turn func(context.Context) error

// Query asks for a page of a range of time.
type Query struct {
	From, Until time.Time // at or after From, before Until; by the vendor's clock
	Cursor      string    // Next of the page before; "" for the first
	Turn        Turn
	// Known says of items whether they are kept already, for a Reader that has
	// to ask more of each one; nil: none is. Only what identifies an item need
	// be in it.
	Known func(context.Context, []Item) ([]bool, error)
}

// Offset is the Cursor of vendors whose pages begin at a number; 0 for the first.
func (q Query) Offset() (int, error) {
	if q.Cursor == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(q.Cursor)
	if err != nil || n < 0 {
		return 0, &ReadError{What: "the cursor is none of this source's"}
	}
	return n, nil
}

// Page is what a Reader answers.
type Page struct {
	Items []Item
	Known int     // left out of Items, as Query.Known says
	Next  string  // cursor of the next page; "" after the last one
	Part  float64 // of the range that is read after this page, up to 1; 0: not known
}

// Item is a payload made of what a vendor's read API answered.
type Item struct {
	ContentType string
	Body        []byte
}

// Status is a contact as the vendor has it now.
type Status struct {
	ID     string
	Status string    // the vendor's word, lower case; "" if it does not say
	At     time.Time // as of when, at the latest: vendors do not say since when
	Gone   bool      // the vendor has no such contact any more
	// Derived: the status follows from what else is known, as the vendor did
	// not say it: it is likely, not sure.
	Derived bool
	Item    Item // an event that tells the status; empty where there is none
}

// ReadType is the content type of what a vendor's read API told. Bodies are
// JSON of the source's own making.
func ReadType(vendor string) string { return "application/vnd.crmsyncd." + vendor + ".read+json" }

// IsRead reports whether a request is an Item of the vendor.
func IsRead(r *Request, vendor string) bool { return r.Header.Get("Content-Type") == ReadType(vendor) }

// Request is the item as its source parses it; at is when it was read.
func (i Item) Request(at time.Time) *Request {
	return &Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {i.ContentType}}, Body: i.Body, At: at}
}

// Told is a record of a vendor's read API, and what crmsyncd knows beside it:
// the body of Items whose records are not of a webhook's shape.
type Told struct {
	Record json.RawMessage `json:"record"`
	// Call is the id under which webhooks told the same call; "" if none did.
	Call string `json:"call,omitempty"`
	// EndedAt is when it ended by what webhooks said of its beginning.
	EndedAt time.Time `json:"ended_at,omitzero"`
}

// Item is the record as an Item of the vendor.
func (t Told) Item(vendor string) (Item, error) {
	body, err := json.Marshal(t)
	return Item{ContentType: ReadType(vendor), Body: body}, err
}

// As returns an item whose body is a Told as a part of the call that webhooks
// told under that id. Once it is in the ledger its identity is that of the
// webhook, so that one which comes late is a duplicate.
func (i Item) As(call string, ended time.Time) (Item, error) {
	var t Told
	if err := json.Unmarshal(i.Body, &t); err != nil {
		return i, fmt.Errorf("the record cannot be read: %w", err)
	}
	t.Call, t.EndedAt = call, ended
	body, err := json.Marshal(t)
	return Item{ContentType: i.ContentType, Body: body}, err
}

// JSON returns the text of an object or a list, as it stands in the document;
// nil for other values.
func (v Value) JSON() json.RawMessage {
	if !v.IsObject() && !v.IsArray() {
		return nil
	}
	return json.RawMessage(v.raw())
}

// ReadError is why a vendor gave no answer that can be used. It holds nothing
// of the answer's body.
type ReadError struct {
	What   string        // what was asked and went wrong, in words
	Status int           // of the answer; 0 if there was none
	Again  bool          // the same request may succeed later
	Wait   time.Duration // which the vendor asked for; 0 if it did not
}

// Error gives the words.
func (e *ReadError) Error() string { return e.What }

// Is makes errors.Is(err, ErrGone) true for answers 404 and 410.
func (e *ReadError) Is(target error) bool { return target == ErrGone && e.gone() }

func (e *ReadError) gone() bool {
	return e.Status == http.StatusNotFound || e.Status == http.StatusGone
}

// ErrGone stands for a ReadError of something that the vendor does not have,
// or not any more; see errors.Is.
var ErrGone = errors.New("the vendor does not have it")

// NoAnswer is the error of a request that got no answer. A context that is over
// stays what it is.
func NoAnswer(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &ReadError{What: what + ": " + err.Error(), Again: true}
}

// ReadAnswer reads the answer to what was asked, such as "telli: list calls".
// credentials names the settings that an answer 401 or 403 is about.
func ReadAnswer(what string, status int, body []byte, wait time.Duration, credentials string) (Value, error) {
	e := &ReadError{Status: status, Wait: wait}
	switch {
	case status == http.StatusOK:
		v, err := ReadJSON(body)
		if err == nil {
			return v, nil
		}
		e.What = what + ": the answer cannot be read: " + err.Error()
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.What = fmt.Sprintf("%s: answered %d; check %s of the source, and what the vendor lets it read", what, status, credentials)
	case status == http.StatusTooManyRequests:
		e.What, e.Again = what+": answered 429, too many requests", true
	default:
		e.What, e.Again = fmt.Sprintf("%s: answered %d", what, status), status >= http.StatusInternalServerError
	}
	return Value{}, e
}

// Holds reports whether something that happened at a time belongs to the range;
// what has no time does.
func (q Query) Holds(at time.Time) bool {
	return at.IsZero() || !at.Before(q.From) && at.Before(q.Until)
}

// Ask waits for a turn.
func (t Turn) Ask(ctx context.Context) error {
	if t == nil {
		return ctx.Err()
	}
	return t(ctx)
}

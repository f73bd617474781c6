package receiver

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

// Stored is the event as the ledger keeps it, of what a request to a source
// of that name and vendor says. It fills in what the source leaves to its
// caller, also in p.Event, and bounds everything that becomes a key.
func Stored(source, vendor string, origin event.Origin, request *sources.Request, p sources.Parsed) store.Event {
	e := p.Event
	e.Source, e.Vendor, e.ReceivedAt, e.Origin = source, vendor, request.At, origin
	if e.OccurredAt.IsZero() {
		e.OccurredAt = request.At
	}
	out := store.Event{
		Source: source, Vendor: vendor, Type: e.Type, Origin: e.Origin, OccurredAt: e.OccurredAt, ReceivedAt: e.ReceivedAt,
		Rank: e.Rank(), Lane: bounded(e.Lane()), DeliveryID: bounded(p.DeliveryID), ContentKey: bounded(p.ContentKey), Problem: p.Problem,
		ContentType: bounded(request.Header.Get("Content-Type")), Body: request.Body, Sense: p.Sense,
	}
	for _, c := range p.Calls {
		out.Calls = append(out.Calls, bounded(c))
		out.Ended = e.Type == event.CallEnded || e.Call != nil && e.Call.Status == event.Merged
	}
	if keys := p.Alike.Keys(); len(keys) > 0 && p.Problem == "" {
		// The first of Calls is what runs on: a call that one event tells does not.
		out.Ended = out.Ended || len(p.Calls) == 0
		out.Calls = append(out.Calls, keys...)
	}
	if out.Lane == "" {
		out.Lane = source + ":event:" + alone(p, request.Body)
	}
	return out
}

// ownTypes is how the content types of payloads begin that crmsyncd makes.
const ownTypes = "application/vnd.crmsyncd."

// Key is the content key of an event of the source, by what it says of itself.
func (s Source) Key(content string) string {
	if s.Apart && content != "" {
		return "unproven:" + s.Name + ":" + content
	}
	return content
}

// alone names a lane of its own for an event that names no contact.
func alone(p sources.Parsed, body []byte) string {
	if p.DeliveryID != "" {
		return digest([]byte(p.DeliveryID))
	}
	return digest(body)
}

// longest is how long an id may be before its hash stands for it: the ledger's
// keys have a limit, and vendors' ids have some forty characters.
const longest = 200

// bounded returns s, or for one that is too long or holds control characters
// its beginning and its hash.
func bounded(s string) string {
	odd := strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
	if len(s) <= longest && odd < 0 {
		return s
	}
	head := s[:min(len(s), 40)]
	if odd >= 0 && odd < len(head) {
		head = head[:odd]
	}
	return strings.ToValidUTF8(head, "") + "~" + digest([]byte(s))
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

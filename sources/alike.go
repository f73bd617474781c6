package sources

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
)

// Alike is how to find a call under another id, for vendors whose read API
// names calls otherwise than their webhooks do: by who called and when.
type Alike struct {
	// Read: this is what the read API tells, to be found among what webhooks
	// told; else the other way round.
	Read bool
	// Number is that of the external party or, where it is withheld, the one
	// that was called.
	Number string
	// From and Until are the span of the call as far as this payload tells.
	From, Until time.Time
	// Starts is when the call began by the read API: several where its clock
	// leaves open which hour it was.
	Starts []time.Time
	// Talked is how long they talked by the read API.
	Talked time.Duration
}

const (
	// apart is by how much the vendors' clocks differ for the same call; they
	// publish no number.
	apart = 10 * time.Second
	// rings is how long a call may ring. Exchanges give up after one or two minutes.
	rings = 2 * time.Minute
	// span bounds the hours of one call.
	span = 24 * time.Hour
)

// AlikeTold is the Alike of a webhook's event of a call; nil if it names no
// number to be found by.
func AlikeTold(e *event.Event, now time.Time) *Alike {
	at := e.OccurredAt
	if at.IsZero() {
		at = now
	}
	return newAlike(e, Alike{From: at, Until: at})
}

// AlikeRead is the Alike of a call that the read API tells.
func AlikeRead(e *event.Event, talked time.Duration, starts ...time.Time) *Alike {
	if len(starts) == 0 {
		return nil
	}
	a := Alike{Read: true, Starts: starts, Talked: talked, From: starts[0], Until: starts[0]}
	for _, s := range starts {
		if s.Before(a.From) {
			a.From = s
		}
		if s.After(a.Until) {
			a.Until = s
		}
	}
	a.From, a.Until = a.From.Add(-apart), a.Until.Add(talked+rings+apart)
	return newAlike(e, a)
}

func newAlike(e *event.Event, a Alike) *Alike {
	c := e.Call
	switch {
	case c == nil:
		return nil
	case e.Contact != nil && e.Contact.Phone != "":
		a.Number = e.Contact.Phone
	case c.To != "":
		a.Number = c.To
	default:
		a.Number = c.From
	}
	if a.Number == "" {
		return nil
	}
	return &a
}

// Keys are words under which the event is kept: one for each hour, with a hash
// of the number. A nil Alike has none.
func (a *Alike) Keys() []string {
	if a == nil {
		return nil
	}
	return a.keys(a.Read)
}

// Others are the Keys under which what it may be alike to is kept.
func (a *Alike) Others() []string {
	if a == nil {
		return nil
	}
	return a.keys(!a.Read)
}

func (a *Alike) keys(read bool) []string {
	prefix := "told~"
	if read {
		prefix = "read~"
	}
	sum := sha256.Sum256([]byte(a.Number))
	prefix += hex.EncodeToString(sum[:8]) + "~"
	var out []string
	until := a.Until
	if until.Sub(a.From) > span {
		until = a.From.Add(span)
	}
	for h := a.From.Unix() / 3600; h <= until.Unix()/3600; h++ {
		out = append(out, prefix+strconv.FormatInt(h, 10))
	}
	return out
}

// Is reports whether a call that the read API tells is the one that webhooks
// told: the same number, and the same beginning within 10 seconds. Where the
// beginning was not told, its answer and length, or its end, decide.
func (a *Alike) Is(told *event.Event) bool {
	c := told.Call
	if !a.Read || c == nil {
		return false
	}
	for _, start := range a.Starts {
		answeredIn := between(c.AnsweredAt.Sub(start), -apart, rings)
		switch {
		case !c.StartedAt.IsZero() && !c.StartedAt.Equal(c.AnsweredAt):
			if near(c.StartedAt, start) {
				return true
			}
		case !c.AnsweredAt.IsZero() && !c.EndedAt.IsZero():
			if answeredIn && near(c.EndedAt, c.AnsweredAt.Add(a.Talked)) {
				return true
			}
		case !c.AnsweredAt.IsZero():
			if answeredIn && a.Talked > 0 {
				return true
			}
		case !c.EndedAt.IsZero():
			if between(c.EndedAt.Sub(start.Add(a.Talked)), -apart, rings) {
				return true
			}
		}
	}
	return false
}

// Ended is when the call ended by the read API's length and what webhooks told
// of it; never before the last thing that they told.
func (a *Alike) Ended(told *event.Event, last time.Time) time.Time {
	c := told.Call
	var end time.Time
	switch {
	case !c.AnsweredAt.IsZero():
		end = c.AnsweredAt.Add(a.Talked)
	case len(a.Starts) > 0:
		end = a.Starts[0].Add(a.Talked)
	}
	if end.Before(last) {
		return last
	}
	return end
}

func near(a, b time.Time) bool { return between(a.Sub(b), -apart, apart) }

func between(d, least, most time.Duration) bool { return d >= least && d <= most }

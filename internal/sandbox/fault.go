package sandbox

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fault is one fault to switch on. At least one of Status, LostReply, LatencyMS,
// Partial and Answer says what goes wrong. Times counts down, Rate is a probability
// from 0 to 1; with neither the fault lasts until it is cleared.
type Fault struct {
	CRM        string          `json:"crm"`              // empty: all
	Path       string          `json:"path,omitempty"`   // part of the path; empty: all
	Method     string          `json:"method,omitempty"` // empty: all
	Status     int             `json:"status,omitempty"`
	LostReply  bool            `json:"lost_reply,omitempty"` // the call is applied, its answer never comes
	LatencyMS  int             `json:"latency_ms,omitempty"` // the call is applied, its answer comes late
	Partial    bool            `json:"partial,omitempty"`    // the last input of a batch fails; Status says how
	Answer     string          `json:"answer,omitempty"`     // how the answer is spoiled, one of the words in spoilers; the call is applied unless there is a Status
	Times      int             `json:"times,omitempty"`
	Rate       float64         `json:"rate,omitempty"`
	Body       json.RawMessage `json:"body,omitempty"`        // the answer's body, or a word that the vendor knows
	RetryAfter int             `json:"retry_after,omitempty"` // seconds
}

// check says what is wrong with a fault that somebody posted.
func (f *Fault) check() error {
	switch {
	case f.Status == 0 && !f.LostReply && f.LatencyMS == 0 && !f.Partial && f.Answer == "":
		return fmt.Errorf("a fault needs status, lost_reply, latency_ms, partial or answer")
	case f.Answer != "" && spoilers[f.Answer] == nil:
		return fmt.Errorf("answer is one of %s", spoilerNames())
	case f.Answer != "" && (f.LostReply || f.Partial):
		return fmt.Errorf("a fault with answer has neither lost_reply nor partial")
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("status %d is not an error status (400 to 599)", f.Status)
	case f.LatencyMS < 0 || f.Times < 0 || f.RetryAfter < 0:
		return fmt.Errorf("latency_ms, times and retry_after cannot be negative")
	case f.Rate < 0 || f.Rate > 1:
		return fmt.Errorf("rate is a probability from 0 to 1")
	case f.Times > 0 && f.Rate > 0:
		return fmt.Errorf("a fault has times or rate, not both")
	}
	return nil
}

// answer is the error that a status fault gives.
func (f *Fault) answer(v vendor, c *call) answer {
	word := ""
	var literal []byte
	if len(f.Body) > 0 && json.Unmarshal(f.Body, &word) != nil {
		literal = f.Body
	} else if strings.ContainsAny(word, "<{ ") {
		literal = []byte(word)
	}
	a := v.fault(c, f.Status, word)
	if literal != nil {
		a.body = literal
		if literal[0] == '<' {
			a.header = http.Header{"Content-Type": {"text/html; charset=utf-8"}}
		} else {
			a.header = nil
		}
	}
	if f.RetryAfter > 0 {
		if a.header == nil {
			a.header = http.Header{}
		}
		a.header.Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	return a
}

// effect is what all faults together do to one call.
type effect struct {
	status  *Fault
	partial *Fault
	lost    bool
	latency time.Duration
	spoil   string // how the answer is
}

// send sends an answer, or what becomes of it.
func (e effect) send(w http.ResponseWriter, r *http.Request, a answer) {
	wait(r, e.latency)
	switch {
	case e.lost:
		cut(w)
	case e.spoil != "":
		spoilers[e.spoil](w, r, a)
	default:
		a.write(w)
	}
}

// shown is the status of an answer as the journal has it: 0 where none came.
func (e effect) shown(a answer) int {
	if e.lost || e.spoil == "hang" || e.spoil == "reset" {
		return 0
	}
	return a.status
}

// faultList is the faults that are on. The zero value is ready.
type faultList struct {
	mu  sync.Mutex
	all []*Fault
}

// match finds out what happens to a call and counts it. Latency and partial
// failure add to everything; of the faults that end a call, the first in the
// list wins and only it is used up.
func (l *faultList) match(crm string, c *call, batch bool) effect {
	l.mu.Lock()
	defer l.mu.Unlock()
	var e effect
	kept := l.all[:0]
	for _, f := range l.all {
		ends := !f.Partial && (f.Status != 0 || f.LostReply || f.Answer != "")
		applies := (f.CRM == "" || f.CRM == crm) &&
			(f.Method == "" || strings.EqualFold(f.Method, c.method)) &&
			strings.Contains("/"+crm+c.path, f.Path) &&
			(!f.Partial || batch && e.partial == nil) &&
			(!ends || e.status == nil && !e.lost && e.spoil == "") &&
			(f.Rate == 0 || rand.Float64() < f.Rate)
		if applies {
			e.add(f)
			if f.Times > 0 {
				if f.Times--; f.Times == 0 {
					continue
				}
			}
		}
		kept = append(kept, f)
	}
	clear(l.all[len(kept):])
	l.all = kept
	return e
}

// add takes a copy of the fault: the list goes on counting in its own.
func (e *effect) add(f *Fault) {
	own := *f
	e.latency += time.Duration(f.LatencyMS) * time.Millisecond
	switch {
	case f.Partial:
		e.partial = &own
	case f.Status != 0:
		e.status = &own
	}
	if f.LostReply {
		e.lost = true
	}
	if f.Answer != "" {
		e.spoil = f.Answer
	}
}

func (l *faultList) set(add []*Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, add...)
}

func (l *faultList) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = nil
}

func (l *faultList) list() []Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Fault, 0, len(l.all))
	for _, f := range l.all {
		out = append(out, *f)
	}
	return out
}

package event

import "encoding/hex"

// Trace is the trace of which an event is a part, in the terms of W3C Trace
// Context. It is about the event's way, not about what happened, so that no
// formula sees it.
type Trace struct {
	ID    [16]byte // zero: there is none
	Span  [8]byte  // whose work the event's is a part of; zero: nobody's
	Flags byte     // Sampled and Random, no others
	State string   // tracestate: what the sender's own tracing wants passed on
}

// The flags of a Trace (W3C Trace Context Level 2, section 3.2.2.5, read 2026-11).
const (
	Sampled byte = 1 // who sent it may have recorded it
	Random  byte = 2 // the last 7 bytes of the id are random
)

// String is the id as people and collectors write it: 32 digits in hex.
func (t Trace) String() string { return hex.EncodeToString(t.ID[:]) }

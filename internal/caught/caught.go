// Package caught tells of a panic what may be told: what the runtime says, or
// the type of what a program panicked with, and the place. Never the value, which
// may quote a webhook or what a CRM answered. It logs nothing and recovers
// nothing: whoever recovers decides what becomes of the work.
package caught

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
)

// Panic is a panic that was recovered. It is an error without anybody's data,
// and may be raised again in the goroutine that waits for the one that panicked.
type Panic struct {
	What  string // such as "runtime error: index out of range [5] with length 3"
	Stack string // functions with their lines, innermost first, in one line
}

// Error implements error.
func (p *Panic) Error() string { return p.What }

// Place is the function and line that panicked.
func (p *Panic) Place() string {
	at, _, _ := strings.Cut(p.Stack, " < ")
	return at
}

var number atomic.Uint64

// Number is how many panics were recovered since the start of the process.
func Number() uint64 { return number.Load() }

// Of tells of what recover returned; nil if that was nil. Call it in the deferred
// function itself, while the stack still has the place.
func Of(recovered any) *Panic {
	if recovered == nil {
		return nil
	}
	if p, ok := recovered.(*Panic); ok {
		return p // of another goroutine, counted there
	}
	number.Add(1)
	what := fmt.Sprintf("a panic with a value of type %T", recovered)
	if err, ok := recovered.(runtime.Error); ok {
		what = err.Error() // it names types, indexes and lengths
	}
	return &Panic{What: what, Stack: stack()}
}

// depth bounds the stack that is told.
const depth = 24

func stack() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	var at []string
	began := false // the frames from here on are those of what panicked
	for more := true; more && len(at) < depth; {
		var f runtime.Frame
		f, more = frames.Next()
		switch {
		case f.Function == "runtime.goexit", f.Function == "runtime.main", f.Function == "":
		case strings.HasPrefix(f.Function, "runtime."):
			// Above it is only who recovers, and how a panic begins. Below it may be
			// another panic, during which a deferred function went wrong.
			if !began {
				at = at[:0]
			}
			began = began || f.Function == "runtime.gopanic"
		default:
			at = append(at, f.Function+":"+strconv.Itoa(f.Line))
		}
	}
	return strings.Join(at, " < ")
}

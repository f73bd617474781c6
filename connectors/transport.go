package connectors

import (
	"context"
	"errors"
)

// NoAnswer classifies a request that got no answer. written says that it, or
// part of it, went out; repeatable, that it may be sent again in any case. An
// *Error among its causes says itself what it is: there was no access to send
// the request with.
func NoAnswer(err error, written, repeatable bool) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{Kind: Transient, Code: "NO_ANSWER", Message: err.Error(), Err: err}
	if written && !repeatable {
		e.Kind = Unknown
	}
	return e
}

// ServerFault classifies an answer with a status from 500 on: such a request
// may have been applied, but for 503, which says that it was not looked at.
func ServerFault(status int, repeatable bool) Kind {
	if repeatable || status == 503 {
		return Transient
	}
	return Unknown
}

func cancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

package connectors

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/crmsyncd/crmsyncd/internal/caught"
)

// Chunks cuts a list into parts of at most size.
func Chunks[T any](list []T, size int) [][]T {
	var out [][]T
	for len(list) > size {
		out = append(out, list[:size:size])
		list = list[size:]
	}
	if len(list) > 0 {
		out = append(out, list)
	}
	return out
}

// ChunksApart is Chunks, but no part has two items with the same key: a CRM
// refuses a batch that names one record twice. Items with the key "" are
// always apart. The order within each key is kept.
func ChunksApart[T any](list []T, size int, key func(T) string) [][]T {
	var out [][]T
	var seen []map[string]bool
	first := map[string]int{} // per key, the first part that may take it
	open := 0
	for _, item := range list {
		k := key(item)
		i := open
		if k != "" {
			i = max(i, first[k])
		}
		for i < len(out) && (len(out[i]) >= size || k != "" && seen[i][k]) {
			i++
		}
		if i == len(out) {
			out, seen = append(out, nil), append(seen, map[string]bool{})
		}
		out[i] = append(out[i], item)
		if k != "" {
			seen[i][k] = true
			first[k] = i + 1
		}
		for open < len(out) && len(out[open]) >= size {
			open++
		}
	}
	return out
}

// Parallel runs do for every item, at most width at a time, and returns when
// all are done. A panic of one of them is raised again here, as *caught.Panic:
// in a goroutine of its own it would end the process.
func Parallel[T any](items []T, width int, do func(T)) {
	if len(items) == 1 {
		do(items[0])
		return
	}
	var all sync.WaitGroup
	turn := make(chan struct{}, width)
	var panicked atomic.Pointer[caught.Panic]
	for _, item := range items {
		turn <- struct{}{}
		all.Go(func() {
			defer func() {
				if p := caught.Of(recover()); p != nil {
					panicked.Store(p)
				}
				<-turn
			}()
			do(item)
		})
	}
	all.Wait()
	if p := panicked.Load(); p != nil {
		panic(p)
	}
}

// isolateBudget is the most requests that one refused batch is worth.
const isolateBudget = 48

// Isolate sends a batch and, where the CRM refuses the whole of it because of
// what may be one of its items, its halves, down to single items: so that one
// bad record does not keep its batch mates out. refused is called for each item
// that was not sent with success. send returns an error only if nothing of the
// batch was applied or its outcome is not known.
func Isolate[T any](ctx context.Context, batch []T, send func(context.Context, []T) *Error, refused func(T, *Error)) {
	budget := isolateBudget
	var try func([]T)
	try = func(part []T) {
		budget--
		err := send(ctx, part)
		if err == nil {
			return
		}
		if len(part) == 1 || !aboutOne(err) {
			for _, item := range part {
				refused(item, err)
			}
			return
		}
		if budget <= 0 {
			later := &Error{Kind: Transient, Code: err.Code, Message: "its batch was refused because of other records in it", Err: err}
			for _, item := range part {
				refused(item, later)
			}
			return
		}
		half := len(part) / 2
		try(part[:half])
		try(part[half:])
	}
	try(batch)
}

// aboutOne tells whether an error may concern one item of a batch only.
func aboutOne(err *Error) bool {
	if err.Account {
		return false
	}
	switch err.Kind {
	case Invalid, NotFound, Ambiguous, Conflict:
		return true
	case Transient, RateLimited, Auth, Unknown:
		return false
	}
	return false
}

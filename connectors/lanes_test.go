package connectors

import (
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestBatchingHoldsALaneBehindWhatMustBeTriedAgain(t *testing.T) {
	t.Parallel()
	type item struct {
		n           int
		lane, class string
		fate        Kind // of its request; -1: success
		err         *Error
		request     int // 0: not sent
	}
	rapid.Check(t, func(t *rapid.T) {
		var list []*item
		early := map[*item]bool{} // failed before anything is sent
		for n := range rapid.IntRange(0, 30).Draw(t, "n") {
			i := &item{n: n, lane: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "lane"), class: rapid.SampledFrom([]string{"x", "x", "y"}).Draw(t, "class")}
			i.fate = rapid.SampledFrom([]Kind{-1, -1, -1, -1, Transient, Unknown, NotFound, Invalid, Ambiguous}).Draw(t, "fate")
			if i.fate >= 0 && rapid.Bool().Draw(t, "early") {
				i.err, early[i] = &Error{Kind: i.fate}, true
			}
			list = append(list, i)
		}
		var mu sync.Mutex
		requests := 0
		Batching[*item]{
			Size: 2, Width: 2, Lane: func(i *item) string { return i.lane }, Class: func(i *item) string { return i.class }, Apart: func(i *item) string { return fmt.Sprint(i.n) },
			Err: func(i *item) *Error { return i.err }, Fail: func(i *item, e *Error) { i.err = e },
		}.Run(list, func(batch []*item) {
			mu.Lock()
			defer mu.Unlock()
			requests++
			for _, i := range batch {
				i.request = requests
				if i.fate >= 0 {
					i.err = &Error{Kind: i.fate}
				}
			}
		})
		stopped := map[string]int{} // by lane, the request that failed, or -1: none was sent
		for _, i := range list {
			at, held := stopped[i.lane]
			switch {
			case i.err != nil && i.err.Code == CodeHeld:
				if !held || i.request != 0 {
					t.Fatalf("item %d was held, request %d; nothing before it in lane %q failed", i.n, i.request, i.lane)
				}
			case !early[i] && i.request == 0, held && i.request != 0 && i.request != at:
				t.Fatalf("item %d of lane %q went out with request %d; its lane stopped with request %d", i.n, i.lane, i.request, at)
			}
			if i.lane != "" && i.err != nil && i.err.Code != CodeHeld && i.fate != Invalid && i.fate != Ambiguous && !held {
				stopped[i.lane] = i.request
				if early[i] {
					stopped[i.lane] = -1
				}
			}
		}
	})
}

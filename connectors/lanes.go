package connectors

import "sync"

// Waves splits a list so that, with the waves done one after the other, items
// of one lane whose classes differ are done in their order, whatever is done
// side by side within a wave. Items of one lane and one class that follow each
// other share a wave. The lane "" has no order.
func Waves[T any](list []T, lane, class func(T) string) [][]T {
	type place struct {
		wave  int
		class string
	}
	last := map[string]place{}
	var out [][]T
	for _, item := range list {
		wave := 0
		if l := lane(item); l != "" {
			before, seen := last[l]
			if wave = before.wave; seen && before.class != class(item) {
				wave++
			}
			last[l] = place{wave, class(item)}
		}
		for len(out) <= wave {
			out = append(out, nil)
		}
		out[wave] = append(out[wave], item)
	}
	return out
}

// Strands puts parts of a list that share a lane into one strand, in their
// order: strands may be done side by side, the parts of each only one after
// the other.
func Strands[T any](parts [][]T, lane func(T) string) [][][]T {
	owner := map[string]int{}  // lane to strand
	alias := map[int]int{}     // joined strand to the one that took it
	strands := map[int][]int{} // strand to parts
	root := func(s int) int {
		for {
			to, joined := alias[s]
			if !joined {
				return s
			}
			s = to
		}
	}
	for i, part := range parts {
		mine := i
		strands[mine] = []int{i}
		for _, item := range part {
			l := lane(item)
			if l == "" {
				continue
			}
			if s, seen := owner[l]; seen {
				if s = root(s); s != mine {
					strands[s] = append(strands[s], strands[mine]...)
					delete(strands, mine)
					alias[mine], mine = s, s
				}
			}
			owner[l] = mine
		}
	}
	var out [][][]T
	for i := range parts {
		ids, ok := strands[i]
		if !ok {
			continue
		}
		// Joining appends out of order; parts are done in the list's order.
		in := map[int]bool{}
		for _, id := range ids {
			in[id] = true
		}
		var strand [][]T
		for id := range parts {
			if in[id] {
				strand = append(strand, parts[id])
			}
		}
		out = append(out, strand)
	}
	return out
}

// CodeHeld is the code of the Transient error of a change that was not sent,
// as an earlier one of its Lane was not applied: it waits for that one.
const CodeHeld = "HELD"

// Batching says how a list of changes goes out in batches.
type Batching[T any] struct {
	Size  int             // items of one request
	Width int             // requests side by side
	Lane  func(T) string  // items of one lane keep their order; "" has none
	Class func(T) string  // items of different classes cannot share a request
	Apart func(T) string  // items with the same text cannot share a request; "" can
	Err   func(T) *Error  // what went wrong with an item so far, or nil
	Fail  func(T, *Error) // an item is not sent for this reason
}

// Run gives every batch to write, several at once, and returns when all are
// done. Items that have an error are left out. Behind one that must be tried
// again nothing of its lane is sent, or the later change would come first.
func (b Batching[T]) Run(list []T, write func([]T)) {
	list = holdBehind(b, newHolder(), list)
	held := newHolder() // what failed before is no reason to hold what comes before it
	for _, wave := range Waves(list, b.Lane, b.Class) {
		var classes []string
		byClass := map[string][]T{}
		for _, item := range wave {
			class := b.Class(item)
			if byClass[class] == nil {
				classes = append(classes, class)
			}
			byClass[class] = append(byClass[class], item)
		}
		var strands [][][]T
		for _, class := range classes {
			strands = append(strands, Strands(ChunksApart(byClass[class], b.Size, b.Apart), b.Lane)...)
		}
		Parallel(strands, b.Width, func(strand [][]T) {
			for _, batch := range strand {
				if batch = holdBehind(b, held, batch); len(batch) == 0 {
					continue
				}
				write(batch)
				for _, item := range batch {
					held.note(b.Lane(item), b.Err(item))
				}
			}
		})
	}
}

// holdBehind returns the items that may be sent.
func holdBehind[T any](b Batching[T], held *holder, items []T) (free []T) {
	for _, item := range items {
		lane, err := b.Lane(item), b.Err(item)
		switch {
		case err != nil:
			held.note(lane, err)
		case held.holds(lane):
			b.Fail(item, &Error{Kind: Transient, Code: CodeHeld, Message: "an earlier change of the same contact must be written first"})
		default:
			free = append(free, item)
		}
	}
	return free
}

// holder knows the lanes in which nothing may be sent any more.
type holder struct {
	mu    sync.Mutex
	lanes map[string]bool
}

func newHolder() *holder { return &holder{lanes: map[string]bool{}} }

// note holds a lane for an error that is worth another try; what is never
// accepted holds up nobody.
func (h *holder) note(lane string, err *Error) {
	if lane == "" || err == nil || err.Kind == Invalid || err.Kind == Ambiguous {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lanes[lane] = true
}

func (h *holder) holds(lane string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lanes[lane]
}

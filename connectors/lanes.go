package connectors

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

// Batching says how a list of changes goes out in batches.
type Batching[T any] struct {
	Size  int            // items of one request
	Width int            // requests side by side
	Lane  func(T) string // items of one lane keep their order; "" has none
	Class func(T) string // items of different classes cannot share a request
	Apart func(T) string // items with the same text cannot share a request; "" can
}

// Run gives every batch to write, several at once, and returns when all are
// done.
func (b Batching[T]) Run(list []T, write func([]T)) {
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
				write(batch)
			}
		})
	}
}

package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
)

// bbolt trusts its file: a damaged or truncated one makes it panic, at times in
// a goroutine of its own, where nobody can recover. So the structure is read
// here first, with plain reads: both headers, and from the newer sound one
// every page of the tree. What is in the records is not looked at; their
// checksums are for that. The layout is that of bbolt's files of version 2
// (internal/common/{meta,page,bucket}.go of v1.5.0), which is the host's byte
// order; crmsyncd is built for little-endian machines.
const (
	metaMagic   = 0xED0CDAED
	metaVersion = 2
	metaLen     = 64 // without the checksum behind it: 56

	pageHeaderLen = 16
	bucketHeadLen = 16
	elementLen    = 16

	branchPage = 0x01
	leafPage   = 0x02
	metaPage   = 0x04

	bucketElement = 0x01

	maxDepth    = 64      // of pages below a bucket
	maxOverflow = 1 << 21 // pages: 8 GB at 4 KB
)

type header struct {
	pageSize int64
	root     uint64
	freelist uint64 // page of the list of free pages; noFreelist: there is none
	pages    uint64 // high-water mark
	txid     uint64
}

// noFreelist stands for a list that has to be made from all pages.
const noFreelist = 1<<64 - 1

func parseHeader(page []byte) (header, bool) {
	if len(page) < pageHeaderLen+metaLen {
		return header{}, false
	}
	m := page[pageHeaderLen:]
	sum := fnv.New64a()
	_, _ = sum.Write(m[:metaLen-8])
	h := header{
		pageSize: int64(le32(m[8:])), root: le64(m[16:]), freelist: le64(m[32:]), pages: le64(m[40:]), txid: le64(m[48:]),
	}
	ok := le16(page[8:]) == metaPage && le32(m) == metaMagic && le32(m[4:]) == metaVersion &&
		le64(m[56:]) == sum.Sum64() && h.pageSize >= 512 && h.pageSize <= 1<<16
	return h, ok
}

var (
	le16 = binary.LittleEndian.Uint16
	le32 = binary.LittleEndian.Uint32
	le64 = binary.LittleEndian.Uint64
)

func readHeaders(f *os.File, size int64) (h header, lost bool, err error) {
	first := make([]byte, 4096)
	n, _ := f.ReadAt(first, 0)
	a, okA := parseHeader(first[:n])
	sizes := []int64{a.pageSize}
	if !okA {
		sizes = []int64{1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16, 1 << 11, 1 << 10}
	}
	for _, pageSize := range sizes {
		second := make([]byte, pageHeaderLen+metaLen)
		if pageSize >= size {
			continue
		}
		if _, err := f.ReadAt(second, pageSize); err != nil {
			continue
		}
		b, okB := parseHeader(second)
		okB = okB && b.pageSize == pageSize
		switch {
		case okA && okB && b.txid > a.txid:
			return b, false, nil
		case okA:
			return a, !okB, nil
		case okB:
			return b, true, nil
		}
	}
	if okA {
		return a, true, nil
	}
	return h, false, corruptFile("neither of its two headers can be read")
}

// walker visits every page of a tree of buckets once.
type walker struct {
	f       *os.File
	h       header
	visited []uint64 // bits by page; nil: nobody asks
	bufs    [][]byte // one per depth, so that a page's keys outlive the pages below it
	runs    [readRuns]run
	next    int               // of runs, to be another one
	meta    map[string][]byte // records of the meta bucket; nil: nobody asks
	buckets int               // of the root that were met
	whole   string            // the one bucket of which leaves are read; "": of all
	bottom  int               // the depth at which leaves are not read; 0: they are
	from    []byte            // keys before it are passed by, as far as pages hold no others
	split   bool              // what lies below the first pages of buckets is left
	left    []subtree         // for share
	most    int               // leaves to read before errEnough; 0: all
	leaves  int               // that were read
	pages   int               // as well
	at      []byte            // the key to go on from after errEnough
	within  string            // the bucket of the root that is being read
	oldHead bool              // there is a head under its key of layout 3
}

// What is written together is read together: where a page lies a little behind
// one that was read lately, many are read at once, or the calls alone would take
// most of the time. A tree goes on at several places of the file by turns.
const (
	readAhead = 128 << 10
	readNear  = 256 << 10
	readRuns  = 8
)

// run is a place where a tree goes on.
type run struct {
	data []byte // of the file, from at on
	at   int64
	end  int64 // of what was read there
}

func (w *walker) readAt(b []byte, at int64) error {
	size := int64(w.h.pages) * w.h.pageSize
	for i := range w.runs {
		if r := &w.runs[i]; at >= r.at && at+int64(len(b)) <= r.at+int64(len(r.data)) {
			copy(b, r.data[at-r.at:])
			return nil
		}
	}
	for i := range w.runs {
		r := &w.runs[i]
		if at < r.end || at > r.end+readNear || len(b) > readAhead || at+readAhead > size {
			continue
		}
		r.data, r.at, r.end = slices.Grow(r.data[:0], readAhead)[:readAhead], at, at+readAhead
		if _, err := w.f.ReadAt(r.data, at); err != nil {
			r.data = r.data[:0]
			break // perhaps for another page
		}
		copy(b, r.data)
		return nil
	}
	r := &w.runs[w.next%readRuns]
	w.next++
	r.data, r.end = r.data[:0], at+int64(len(b))
	_, err := w.f.ReadAt(b, at)
	return err
}

// page reads a page with its overflow and marks it as visited.
func (w *walker) page(id uint64, depth int) ([]byte, error) {
	if id < 2 || id >= w.h.pages {
		return nil, fmt.Errorf("page %d is outside of the file", id)
	}
	if depth >= maxDepth {
		return nil, fmt.Errorf("page %d lies too deep", id)
	}
	for len(w.bufs) <= depth {
		w.bufs = append(w.bufs, make([]byte, w.h.pageSize))
	}
	buf := w.bufs[depth]
	if err := w.readAt(buf[:w.h.pageSize], int64(id)*w.h.pageSize); err != nil {
		return nil, fmt.Errorf("page %d cannot be read: %v", id, err)
	}
	overflow := uint64(le32(buf[12:]))
	switch flags := le16(buf[8:]); {
	case le64(buf) != id:
		return nil, fmt.Errorf("page %d calls itself another", id)
	case flags != branchPage && flags != leafPage:
		return nil, fmt.Errorf("page %d is of no known kind", id)
	case overflow > maxOverflow || id+overflow >= w.h.pages:
		return nil, fmt.Errorf("page %d is longer than the file", id)
	}
	if flags := le16(buf[8:]); flags == leafPage {
		w.leaves++
	}
	if w.pages++; w.most > 0 && w.pages > 2*(w.most+maxDepth) {
		return nil, fmt.Errorf("page %d is one of a circle", id)
	}
	if err := w.visit(id, id+overflow); err != nil {
		return nil, err
	}
	if overflow == 0 {
		return buf[:w.h.pageSize], nil
	}
	// Values in the overflow are not needed, but keys may lie there.
	full := slices.Grow(buf[:0], int(int64(overflow+1)*w.h.pageSize))[:int64(overflow+1)*w.h.pageSize]
	w.bufs[depth] = full
	if err := w.readAt(full, int64(id)*w.h.pageSize); err != nil {
		return nil, fmt.Errorf("page %d cannot be read: %v", id, err)
	}
	return full, nil
}

// visit marks pages, of which each is visited once.
func (w *walker) visit(first, last uint64) error {
	if w.visited == nil {
		return nil
	}
	if first < 2 || last >= w.h.pages {
		return fmt.Errorf("page %d is outside of the file", first)
	}
	for p := first; p <= last; p++ {
		if w.visited[p/64]&(1<<(p%64)) != 0 {
			return fmt.Errorf("page %d is used twice", p)
		}
		w.visited[p/64] |= 1 << (p % 64)
	}
	return nil
}

// errEnough is that a walker has read as much as it was to.
var errEnough = errors.New("enough pages were read")

// bucket checks a bucket that has pages of its own.
func (w *walker) bucket(root uint64, depth int) error {
	return w.tree(root, depth, nil, nil)
}

// leafDepth is at what depth the leaves of a bucket lie: all at the same.
func (w *walker) leafDepth(root uint64, depth int) (int, error) {
	head := make([]byte, pageHeaderLen+elementLen)
	for id := root; depth < maxDepth; depth++ {
		if id >= w.h.pages {
			return 0, fmt.Errorf("page %d is outside of the file", id)
		}
		if err := w.readAt(head, int64(id)*w.h.pageSize); err != nil {
			return 0, fmt.Errorf("page %d cannot be read: %v", id, err)
		}
		if le16(head[8:]) != branchPage {
			return depth, nil
		}
		id = le64(head[pageHeaderLen+8:])
	}
	return 0, fmt.Errorf("page %d lies too deep", root)
}

// tree checks a page and those below it. Its keys are at least low and less
// than high; nil is no bound.
func (w *walker) tree(id uint64, depth int, low, high []byte) error {
	if w.most > 0 && w.leaves >= w.most {
		w.at = bytes.Clone(low)
		return errEnough
	}
	if w.bottom > 0 && depth == w.bottom {
		return w.visit(id, id)
	}
	page, err := w.page(id, depth)
	if err != nil {
		return err
	}
	return w.elements(page, pageName{id: id}, depth, low, high)
}

// pageName is written only where something is wrong with the page.
type pageName struct {
	id     uint64
	within bool // it lies within that page
}

func (n pageName) String() string {
	if n.within {
		return fmt.Sprintf("within %d", n.id)
	}
	return fmt.Sprint(n.id)
}

func (w *walker) elements(page []byte, name pageName, depth int, low, high []byte) error {
	flags, count := le16(page[8:]), int(le16(page[10:]))
	end := pageHeaderLen + count*elementLen
	if end > len(page) || count == 0 && !name.within {
		return fmt.Errorf("page %s has an impossible number of entries", name)
	}
	keyOf := func(i int) ([]byte, []byte, error) {
		at := pageHeaderLen + i*elementLen
		e := page[at:]
		pos, ksize, vsize := uint64(elementPos(flags, e)), uint64(le32(e[4:])), uint64(0)
		if flags == leafPage {
			ksize, vsize = uint64(le32(e[8:])), uint64(le32(e[12:]))
		}
		from := uint64(at) + pos
		if from < uint64(end) || ksize == 0 || from+ksize+vsize > uint64(len(page)) {
			return nil, nil, fmt.Errorf("entry %d of page %s lies outside of it", i, name)
		}
		return page[from : from+ksize], page[from+ksize : from+ksize+vsize], nil
	}
	data := end // entries lie one behind the other: a gap is a damaged count or length
	var key, value, next, nextValue []byte
	var err error
	if count > 0 {
		if next, nextValue, err = keyOf(0); err != nil {
			return err
		}
	}
	for i := range count {
		key, value = next, nextValue
		if at := pageHeaderLen + i*elementLen; at+elementPos(flags, page[at:]) != data {
			return fmt.Errorf("entry %d of page %s does not lie behind the one before", i, name)
		}
		data += len(key) + len(value)
		if low != nil && bytes.Compare(key, low) < 0 || high != nil && bytes.Compare(key, high) >= 0 {
			return fmt.Errorf("entry %d of page %s is out of order", i, name)
		}
		below := high
		if i+1 < count {
			if next, nextValue, err = keyOf(i + 1); err != nil {
				return err
			}
			if below = next; bytes.Compare(key, next) >= 0 {
				return fmt.Errorf("entry %d of page %s is out of order", i, name)
			}
		}
		at := pageHeaderLen + i*elementLen
		switch {
		case flags == branchPage && w.from != nil && below != nil && bytes.Compare(below, w.from) <= 0:
			// it was read before
		case flags == branchPage && w.split && depth+1 == splitDepth:
			w.left = append(w.left, subtree{le64(page[at+8:]), bytes.Clone(key), bytes.Clone(below), w.within, w.bottom})
		case flags == branchPage:
			err = w.tree(le64(page[at+8:]), depth+1, key, below)
		case le32(page[at:]) == bucketElement:
			w.buckets++
			w.within = string(key)
			err = w.subBucket(value, name, depth)
			w.within = ""
		case le32(page[at:]) != 0:
			err = fmt.Errorf("entry %d of page %s is of no known kind", i, name)
		case w.within == headsBucket.name:
			w.oldHead = w.oldHead || len(key) == oldHeadLen
		case w.within == metaBucket.name && w.meta != nil:
			w.meta[string(key)] = bytes.Clone(value)
		}
		if err != nil {
			return err
		}
	}
	// The pages of a bucket take no page more than they need, what lies within
	// another page no byte more.
	if spare := int64(len(page) - data); spare >= w.h.pageSize || name.within && spare > 0 {
		return fmt.Errorf("page %s is longer than what it holds", name)
	}
	return nil
}

// elementPos is where an entry's key begins, counted from the entry.
func elementPos(flags uint16, e []byte) int {
	if flags == leafPage {
		return int(le32(e[4:]))
	}
	return int(le32(e))
}

func (w *walker) subBucket(value []byte, name pageName, depth int) error {
	if len(value) < bucketHeadLen {
		return fmt.Errorf("a bucket in page %s is too short", name)
	}
	if root := le64(value); root != 0 {
		if len(value) > bucketHeadLen {
			return fmt.Errorf("a bucket in page %s is too long", name)
		}
		if w.whole != "" && w.within != w.whole {
			var err error
			if w.bottom, err = w.leafDepth(root, depth+1); err != nil {
				return err
			}
			defer func() { w.bottom = 0 }()
		}
		return w.bucket(root, depth+1)
	}
	inline := value[bucketHeadLen:]
	if len(inline) < pageHeaderLen || le16(inline[8:]) != leafPage {
		return fmt.Errorf("a bucket in page %s cannot be read", name)
	}
	return w.elements(inline, pageName{id: name.id, within: true}, depth+1, nil, nil)
}

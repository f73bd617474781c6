package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
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
	pages    uint64 // high-water mark
	txid     uint64
}

func parseHeader(page []byte) (header, bool) {
	if len(page) < pageHeaderLen+metaLen {
		return header{}, false
	}
	m := page[pageHeaderLen:]
	sum := fnv.New64a()
	_, _ = sum.Write(m[:metaLen-8])
	h := header{
		pageSize: int64(le32(m[8:])), root: le64(m[16:]), pages: le64(m[40:]), txid: le64(m[48:]),
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

// checkFile reads the structure of the file. lostCommit is true if one of the
// two headers is damaged and the file goes on from the other.
func checkFile(f *os.File) (lostCommit bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if info.Size() == 0 {
		return false, corruptFile("it is empty")
	}
	h, lostCommit, err := readHeaders(f, info.Size())
	if err != nil {
		return false, err
	}
	if need := int64(h.pages) * h.pageSize; h.pages > 1<<40 || info.Size() < need {
		return false, corruptFile(fmt.Sprintf("it is truncated (%d bytes of at least %d)", info.Size(), need))
	}
	w := walker{f: f, h: h, visited: make([]uint64, h.pages/64+1)}
	if err := w.bucket(h.root, 0); err != nil {
		return false, corruptFile(err.Error())
	}
	return lostCommit, nil
}

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
	visited []uint64 // bits by page
	bufs    [][]byte // one per depth, so that a page's keys outlive the pages below it
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
	if _, err := w.f.ReadAt(buf[:w.h.pageSize], int64(id)*w.h.pageSize); err != nil {
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
	for p := id; p <= id+overflow; p++ {
		if w.visited[p/64]&(1<<(p%64)) != 0 {
			return nil, fmt.Errorf("page %d is used twice", p)
		}
		w.visited[p/64] |= 1 << (p % 64)
	}
	if overflow == 0 {
		return buf[:w.h.pageSize], nil
	}
	// Values in the overflow are not needed, but keys may lie there.
	full := make([]byte, int64(overflow+1)*w.h.pageSize)
	if _, err := w.f.ReadAt(full, int64(id)*w.h.pageSize); err != nil {
		return nil, fmt.Errorf("page %d cannot be read: %v", id, err)
	}
	return full, nil
}

// bucket checks a bucket that has pages of its own.
func (w *walker) bucket(root uint64, depth int) error {
	return w.tree(root, depth, nil, nil)
}

// tree checks a page and those below it. Its keys are at least low and less
// than high; nil is no bound.
func (w *walker) tree(id uint64, depth int, low, high []byte) error {
	page, err := w.page(id, depth)
	if err != nil {
		return err
	}
	return w.elements(page, fmt.Sprint(id), depth, low, high)
}

func (w *walker) elements(page []byte, name string, depth int, low, high []byte) error {
	flags, count := le16(page[8:]), int(le16(page[10:]))
	end := pageHeaderLen + count*elementLen
	if end > len(page) || flags == branchPage && count == 0 {
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
	for i := range count {
		key, value, err := keyOf(i)
		if err != nil {
			return err
		}
		if at := pageHeaderLen + i*elementLen; at+elementPos(flags, page[at:]) != data {
			return fmt.Errorf("entry %d of page %s does not lie behind the one before", i, name)
		}
		data += len(key) + len(value)
		if low != nil && bytes.Compare(key, low) < 0 || high != nil && bytes.Compare(key, high) >= 0 {
			return fmt.Errorf("entry %d of page %s is out of order", i, name)
		}
		next := high
		if i+1 < count {
			if next, _, err = keyOf(i + 1); err != nil {
				return err
			}
			if bytes.Compare(key, next) >= 0 {
				return fmt.Errorf("entry %d of page %s is out of order", i, name)
			}
		}
		at := pageHeaderLen + i*elementLen
		switch {
		case flags == branchPage:
			err = w.tree(le64(page[at+8:]), depth+1, key, next)
		case le32(page[at:]) == bucketElement:
			err = w.subBucket(value, name, depth)
		case le32(page[at:]) != 0:
			err = fmt.Errorf("entry %d of page %s is of no known kind", i, name)
		}
		if err != nil {
			return err
		}
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

func (w *walker) subBucket(value []byte, name string, depth int) error {
	if len(value) < bucketHeadLen {
		return fmt.Errorf("a bucket in page %s is too short", name)
	}
	if root := le64(value); root != 0 {
		return w.bucket(root, depth+1)
	}
	inline := value[bucketHeadLen:]
	if len(inline) < pageHeaderLen || le16(inline[8:]) != leafPage {
		return fmt.Errorf("a bucket in page %s cannot be read", name)
	}
	return w.elements(inline, "within "+name, depth+1, nil, nil)
}

package bolt

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"os"
)

// bbolt does not write its list of free pages with each commit (it would be most
// of the commit), and at a start reads every page to make it. The survey has
// read them already: what it did not see is free. So the list is written here,
// as a commit that changes nothing else, before bbolt opens the file.
//
// That also makes durable what the file says, whatever a sync that failed left
// behind: see docs/decisions/0013.

// freePage marks a page that holds the list.
const freePage = 0x10

// settleFile makes the survey's state the file's durable one, and gives bbolt
// the list of free pages. Without space for it nothing is written, and bbolt
// makes its own.
func settleFile(f *os.File, s *survey) error {
	if s.lists(f) {
		return nil
	}
	// The newest header again: it may be in memory only, though what it
	// leads to was on disk before it was written.
	if err := rewriteHeader(f, s.header); err != nil {
		return err
	}
	free := s.free()
	first := s.pages
	list := freeList(first, free, s.pageSize)
	next := s.header
	next.pages += uint64(len(list)) / uint64(s.pageSize)
	next.freelist = first
	next.txid++
	if _, err := f.WriteAt(list, int64(first)*s.pageSize); noSpace(err) {
		return nil
	} else if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := writeHeader(f, next); err != nil {
		return err
	}
	s.header = next
	return nil
}

func noSpace(err error) bool {
	for _, full := range fullErrors {
		if errors.Is(err, full) {
			return true
		}
	}
	return false
}

// free are the pages that are not of the tree, in order.
func (s *survey) free() []uint64 {
	var free []uint64
	for p := uint64(2); p < s.pages; p++ {
		if s.used[p/64]&(1<<(p%64)) == 0 {
			free = append(free, p)
		}
	}
	return free
}

// lists reports whether the file has the very list already, as after a start
// that nothing was written after.
func (s *survey) lists(f *os.File) bool {
	if s.freelist == noFreelist || s.freelist >= s.pages {
		return false
	}
	have := make([]byte, int64(s.pages-s.freelist)*s.pageSize)
	if n, err := f.ReadAt(have, int64(s.freelist)*s.pageSize); n < len(have) && !errors.Is(err, io.EOF) || len(have) < pageHeaderLen {
		return false
	}
	pages := uint64(le32(have[12:])) + 1
	if s.freelist+pages > s.pages {
		return false
	}
	var want []uint64
	for _, p := range s.free() {
		if p < s.freelist || p >= s.freelist+pages {
			want = append(want, p)
		}
	}
	list := freeList(s.freelist, want, s.pageSize)
	return len(list) == int(pages)*int(s.pageSize) && string(list) == string(have[:len(list)])
}

// freeList is the pages, from first on, that hold a list.
func freeList(first uint64, free []uint64, pageSize int64) []byte {
	const most = 0xFFFF // that the page's own counter holds
	n := len(free)
	if n >= most {
		n++
	}
	need := (int64(pageHeaderLen+8*n) + pageSize - 1) / pageSize
	b := make([]byte, pageHeaderLen, need*pageSize)
	binary.LittleEndian.PutUint64(b, first)
	binary.LittleEndian.PutUint16(b[8:], freePage)
	binary.LittleEndian.PutUint16(b[10:], uint16(min(len(free), most)))
	binary.LittleEndian.PutUint32(b[12:], uint32(need-1))
	if len(free) >= most {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(free)))
	}
	for _, p := range free {
		b = binary.LittleEndian.AppendUint64(b, p)
	}
	return b[:need*pageSize]
}

// rewriteHeader writes the newest header once more, as it is.
func rewriteHeader(f *os.File, h header) error {
	page := make([]byte, h.pageSize)
	at := int64(h.txid%2) * h.pageSize
	if _, err := f.ReadAt(page, at); err != nil {
		return err
	}
	if now, ok := parseHeader(page); !ok || now.txid != h.txid {
		// bbolt would have put it there; what is in its place is damaged and
		// stays for now.
		return nil
	}
	if _, err := f.WriteAt(page, at); err != nil {
		return err
	}
	return f.Sync()
}

// writeHeader puts a header in its place, from that of before.
func writeHeader(f *os.File, h header) error {
	page := make([]byte, h.pageSize)
	if _, err := f.ReadAt(page, int64((h.txid-1)%2)*h.pageSize); err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(page, h.txid%2) // the page's own number
	m := page[pageHeaderLen:]
	binary.LittleEndian.PutUint64(m[32:], h.freelist)
	binary.LittleEndian.PutUint64(m[40:], h.pages)
	binary.LittleEndian.PutUint64(m[48:], h.txid)
	sum := fnv.New64a()
	_, _ = sum.Write(m[:metaLen-8])
	binary.LittleEndian.PutUint64(m[56:], sum.Sum64())
	if _, err := f.WriteAt(page, int64(h.txid%2)*h.pageSize); err != nil {
		return err
	}
	return f.Sync()
}

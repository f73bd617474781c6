package bolt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"os"
	"slices"
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
	next := s.header
	next.txid++
	next.freelist = first
	list := freeList(next, free)
	next.pages += uint64(len(list)) / uint64(s.pageSize)
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
// that nothing was written after, or a clean stop.
func (s *survey) lists(f *os.File) bool {
	list, ok := loadList(f, s.header)
	if !ok || !list.sealed() {
		return false
	}
	free := slices.DeleteFunc(s.free(), func(p uint64) bool { return p >= s.freelist && p < s.freelist+list.pages })
	return slices.Equal(list.ids(), free)
}

// A list is a header of a page, the number of ids if that is more than fits
// there, and the ids. bbolt leaves alone what lies behind it: its sum.
const (
	mostCounted = 0xFFFF // ids that a page's own counter holds
	listSumLen  = sha256.Size
)

// listLen is the length of a list of n ids, in bytes.
func listLen(n uint64) int64 {
	if n >= mostCounted {
		n++
	}
	return pageHeaderLen + 8*int64(n)
}

// listSum is the sum of a list that a header leads to.
func listSum(h header, list []byte) []byte {
	sum := sha256.New()
	sum.Write(binary.LittleEndian.AppendUint64(nil, h.txid))
	sum.Write(list)
	return sum.Sum(nil)
}

// freeList is the pages that hold a list for the header that will lead to it.
func freeList(h header, free []uint64) []byte {
	n := uint64(len(free))
	need := (listLen(n) + listSumLen + h.pageSize - 1) / h.pageSize
	b := make([]byte, pageHeaderLen, need*h.pageSize)
	binary.LittleEndian.PutUint64(b, h.freelist)
	binary.LittleEndian.PutUint16(b[8:], freePage)
	binary.LittleEndian.PutUint16(b[10:], uint16(min(n, mostCounted)))
	binary.LittleEndian.PutUint32(b[12:], uint32(need-1))
	if n >= mostCounted {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	for _, p := range free {
		b = binary.LittleEndian.AppendUint64(b, p)
	}
	b = append(b, listSum(h, b)...)
	return b[:need*h.pageSize]
}

// list is a list of free pages in a file.
type list struct {
	h     header
	n     uint64 // of ids
	pages uint64 // that it takes
	data  []byte
	sum   []byte // what lies behind it; shorter if there is no room
}

// loadList reads the list that a header leads to; false if there is none that
// could be one.
func loadList(f *os.File, h header) (l list, ok bool) {
	at := int64(h.freelist) * h.pageSize
	head := make([]byte, pageHeaderLen+8)
	if h.freelist >= h.pages { // also where there is none
		return l, false
	}
	if _, err := f.ReadAt(head, at); err != nil || le64(head) != h.freelist || le16(head[8:]) != freePage {
		return l, false
	}
	l.h, l.n, l.pages = h, uint64(le16(head[10:])), uint64(le32(head[12:]))+1
	if l.n == mostCounted {
		l.n = le64(head[pageHeaderLen:])
	}
	if l.n >= h.pages || l.pages > h.pages-h.freelist || listLen(l.n) > int64(l.pages)*h.pageSize {
		return l, false
	}
	all := make([]byte, min(listLen(l.n)+listSumLen, int64(l.pages)*h.pageSize))
	if _, err := f.ReadAt(all, at); err != nil {
		return l, false
	}
	l.data, l.sum = all[:listLen(l.n)], all[listLen(l.n):]
	return l, true
}

// sealed reports whether the list is the one that was written with its header.
func (l *list) sealed() bool { return bytes.Equal(l.sum, listSum(l.h, l.data)) }

func (l *list) ids() []uint64 {
	ids := make([]uint64, 0, l.n)
	for b := l.data[len(l.data)-8*int(l.n):]; len(b) > 0; b = b[8:] {
		ids = append(ids, le64(b))
	}
	return ids
}

// sealList puts the sum behind the list that bbolt wrote with its last commit.
// Where there is none, or no room, the next start reads the file to make one.
func sealList(f *os.File) error {
	h, lost, err := surveyHeaders(f)
	if err != nil || lost {
		return err
	}
	l, ok := loadList(f, h)
	if !ok || len(l.sum) < listSumLen {
		return nil
	}
	if _, err := f.WriteAt(listSum(h, l.data), int64(h.freelist)*h.pageSize+int64(len(l.data))); err != nil {
		return err
	}
	return f.Sync()
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

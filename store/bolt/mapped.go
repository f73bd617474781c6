package bolt

import (
	"time"

	bbolt "go.etcd.io/bbolt"
)

// What of the mapped file was read stays in the memory of the process until the
// kernel needs it, and people take that for memory that the daemon needs.
const (
	// mappedMost is how much of the file may stay, in bytes, with the program
	// itself.
	mappedMost = 72 << 20
	letGoPause = 500 * time.Millisecond // each page costs a fault when it is read again
)

// letGo hands the pages of the file back, which stay in the page cache, when
// there are many. It runs in the committing goroutine, which alone maps the file
// anew.
func (l *Ledger) letGo(now time.Time) {
	if now.Sub(l.letGoAt) < letGoPause {
		return
	}
	l.letGoAt = now
	if residentFiles() < mappedMost {
		return
	}
	at := l.at.Load()
	_ = at.db.View(func(tx *bbolt.Tx) error { // while it lasts, the file stays mapped where it is
		unmapResident(at.db.Info().Data, mapped(tx))
		return nil
	})
}

// mapped is how much of the file is certainly mapped, in bytes: up to the last
// page in use. The file may be longer than what is mapped of it, and the memory
// behind that is the program's own.
func mapped(tx *bbolt.Tx) uintptr { return uintptr(tx.Size()) }

package bolt

import "time"

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
	if info, err := at.file.Stat(); err == nil {
		unmapResident(at.db.Info().Data, uintptr(info.Size()))
	}
}

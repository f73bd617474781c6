package sd

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"syscall"
)

// Journal tells whether what is written to f goes to systemd's journal, by the
// device and inode in $JOURNAL_STREAM (systemd.exec(5)).
func Journal(f *os.File, stream string) bool {
	var at syscall.Stat_t
	if stream == "" || f == nil || syscall.Fstat(int(f.Fd()), &at) != nil {
		return false
	}
	return stream == fmt.Sprintf("%d:%d", at.Dev, at.Ino)
}

// JournalLog gives each line of a log the priority that the journal reads off
// its beginning (sd-daemon(3)). base makes the handler of lines; the journal has
// the time already, so it may leave that out.
func JournalLog(w io.Writer, base func(io.Writer) slog.Handler) slog.Handler {
	lines := &prefixed{w: w}
	return journal{base(lines), lines}
}

type journal struct {
	slog.Handler
	lines *prefixed
}

// Handle implements slog.Handler.
func (j journal) Handle(ctx context.Context, r slog.Record) error {
	j.lines.mu.Lock()
	defer j.lines.mu.Unlock()
	j.lines.priority = priority(r.Level)
	return j.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (j journal) WithAttrs(attrs []slog.Attr) slog.Handler {
	return journal{j.Handler.WithAttrs(attrs), j.lines}
}

// WithGroup implements slog.Handler.
func (j journal) WithGroup(name string) slog.Handler {
	return journal{j.Handler.WithGroup(name), j.lines}
}

// priority is that of syslog(3).
func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "<3>"
	case l >= slog.LevelWarn:
		return "<4>"
	case l >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}

// prefixed writes each line with the priority of the record under way; mu is
// held while it is written.
type prefixed struct {
	mu       sync.Mutex
	w        io.Writer
	priority string
}

// Write implements io.Writer; slog's handlers call it once for each record.
func (p *prefixed) Write(line []byte) (int, error) {
	if _, err := p.w.Write(bytes.Join([][]byte{[]byte(p.priority), line}, nil)); err != nil {
		return 0, err
	}
	return len(line), nil
}

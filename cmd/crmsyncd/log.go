package main

import (
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/sd"
)

// logRoom is how much of the log waits for a standard error that does not take
// it, in bytes: some thousand lines.
const logRoom = 512 << 10

// logEnd is how long the end of the daemon waits for the log to be written.
const logEnd = 2 * time.Second

// daemonLog is the log of serve. Its lines are written by a goroutine of their
// own: a journal or a pipe that hangs must not make webhooks and deliveries
// wait. What does not fit into logRoom meanwhile, and what a full disk does not
// take, is dropped, counted, and told once lines go out again. A crash of the
// runtime is written past it.
type daemonLog struct {
	out     io.Writer
	journal bool
	current atomic.Pointer[slog.Logger]
	dropped atomic.Uint64
	cut     bool // of the goroutine that writes: the last line is not whole

	mu      sync.Mutex
	queue   [][]byte
	waiting int // bytes in queue
	ended   bool
	wake    chan struct{} // holds one
	done    chan struct{}
}

// newDaemonLog begins a log on w. End ends it.
func newDaemonLog(w io.Writer) *daemonLog {
	f, ok := w.(*os.File)
	l := &daemonLog{out: w, journal: ok && sd.Journal(f, os.Getenv("JOURNAL_STREAM")), wake: make(chan struct{}, 1), done: make(chan struct{})}
	go l.pass()
	return l
}

// Dropped is how many lines were dropped.
func (l *daemonLog) Dropped() uint64 { return l.dropped.Load() }

// Write implements io.Writer: it takes a line, or drops it, and never waits.
func (l *daemonLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || l.waiting+len(line) > logRoom {
		l.dropped.Add(1)
		return len(line), nil
	}
	l.queue = append(l.queue, append([]byte(nil), line...))
	l.waiting += len(line)
	l.poke()
	return len(line), nil
}

func (l *daemonLog) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// pass writes what waits until the log ends.
func (l *daemonLog) pass() {
	defer close(l.done)
	told, taken := uint64(0), true
	for range l.wake {
		for {
			line, empty, ended := l.next()
			if line != nil {
				taken = l.put(line)
			}
			if !empty {
				continue
			}
			if n := l.dropped.Load(); n > told && taken && !ended {
				told = n
				if log := l.current.Load(); log != nil {
					log.Warn("lines of the log were dropped: they were not taken, or not in time", "lines", n)
				}
				continue
			}
			if ended {
				return
			}
			break
		}
	}
}

// put writes a line, and reports whether it was taken. A line that was cut is
// ended before the next.
func (l *daemonLog) put(line []byte) bool {
	if l.cut {
		if _, err := l.out.Write([]byte{'\n'}); err != nil {
			l.dropped.Add(1)
			return false
		}
		l.cut = false
	}
	n, err := l.out.Write(line)
	if err == nil {
		return true
	}
	l.dropped.Add(1)
	l.cut = n > 0
	return false
}

// next takes the line that waits longest; empty tells that none is behind it.
func (l *daemonLog) next() (line []byte, empty, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) > 0 {
		line, l.queue[0] = l.queue[0], nil
		l.queue = l.queue[1:]
		l.waiting -= len(line)
	}
	return line, len(l.queue) == 0, l.ended
}

// End writes what waits, for logEnd at most.
func (l *daemonLog) End() {
	l.mu.Lock()
	l.ended = true
	l.poke()
	l.mu.Unlock()
	select {
	case <-l.done:
	case <-time.After(logEnd):
	}
}

// logger logs as the settings say.
func (l *daemonLog) logger(s config.Log) *slog.Logger {
	log := l.as(s)
	l.current.Store(log)
	return log
}

func (l *daemonLog) as(s config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.Level)) // the settings allow only known words; "" is info
	o := &slog.HandlerOptions{Level: level}
	lines := func(w io.Writer) slog.Handler {
		if s.Format == "json" {
			return slog.NewJSONHandler(w, o)
		}
		return slog.NewTextHandler(w, o)
	}
	if !l.journal {
		return slog.New(lines(l))
	}
	o.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 { // the journal has it
			return slog.Attr{}
		}
		return a
	}
	return slog.New(sd.JournalLog(l, lines))
}

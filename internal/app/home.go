package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// machineID tells a machine from all others (man 5 machine-id). It is hashed
// before it is kept, as that page asks for.
const machineID = "/etc/machine-id"

// place tells where a ledger is used: this machine, and the folder on it. In
// containers, which can have another machine-id at each start, it is the folder
// alone. "" where nothing tells.
func place(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	if whole, err := filepath.EvalSymlinks(dir); err == nil {
		dir = whole
	}
	machine := ""
	if !contained() {
		if text, err := os.ReadFile(machineID); err == nil {
			machine = strings.TrimSpace(string(text))
		}
	}
	sum := sha256.Sum256([]byte("crmsyncd\x00" + machine + "\x00" + dir))
	return hex.EncodeToString(sum[:8])
}

// contained tells a container of Docker, Podman or Kubernetes.
func contained() bool {
	for _, sign := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(sign); err == nil {
			return true
		}
	}
	return os.Getenv("KUBERNETES_SERVICE_HOST") != ""
}

// Settle notes in a ledger that was just opened what became of its file: that a
// backup took its place, or that it came from elsewhere. Both leave a gap. It
// comes before anything else is written. What cannot be kept, as on a full disk,
// is known to the caller all the same, and kept at the next start.
func Settle(ctx context.Context, l store.Ledger, dir string, log *slog.Logger) store.Home {
	h, err := store.HomeOf(ctx, l)
	if err != nil {
		log.Error("it cannot be read where the ledger belongs; it counts as restored", "err", err)
		h = store.Home{}
	}
	here, now, path := place(dir), time.Now(), filepath.Join(dir, LedgerFile)
	fresh := err != nil
	if h.ID == "" {
		id := make([]byte, 8)
		_, _ = rand.Read(id) // it never fails
		h.ID, fresh = hex.EncodeToString(id), true
	}
	if h.Place == "" {
		h.Place, fresh = here, true
	}
	came, restored := bolt.Restored(path)
	if !restored {
		came = now
	}
	moved := h.Foreign(here) && h.Guest != here
	if restored || moved || err != nil {
		from, newest := lastKnown(ctx, l, came, now)
		h.Gaps = append(h.Gaps, store.Gap{From: from.UTC(), To: now.UTC(), Last: newest})
	}
	if moved {
		h.Guest = here
	}
	back := h.Guest != "" && !h.Foreign(here)
	if back {
		h.Guest = ""
	}
	if !fresh && !restored && !moved && !back {
		return h
	}
	if err := h.Keep(ctx, l); err != nil {
		log.Warn("it could not be kept where the ledger belongs", "err", err)
		return h
	}
	if restored {
		if err := bolt.ForgetRestored(path); err != nil {
			log.Warn("the mark of the restore stays; it does no harm", "err", err)
		}
	}
	return h
}

// lastKnown is when the ledger was written to last before it came here, as far
// as it tells: a moment that was not after that, at most; and its newest event.
// Where an earlier start could not keep the gap, that may have come in since.
func lastKnown(ctx context.Context, l store.Ledger, came, now time.Time) (last time.Time, newest uint64) {
	if events, err := l.Events(ctx, store.EventFilter{Limit: 1}); err == nil && len(events) > 0 {
		last, newest = events[0].Event.ReceivedAt, events[0].Event.Seq
	}
	if last.After(came) {
		last = time.Time{}
		if events, err := l.Events(ctx, store.EventFilter{Until: came, Limit: 1}); err == nil && len(events) > 0 {
			last = events[0].Event.ReceivedAt
		}
	}
	// A backup is the last thing in the audit trail of its copy, but for what people
	// did to that before a daemon began with it.
	if audits, err := l.Audits(ctx, store.AuditFilter{}); err == nil {
		made := slices.IndexFunc(audits, func(a store.Audit) bool { return a.What == "ledger backup" && !a.At.After(came) })
		if made >= 0 && audits[made].At.After(last) {
			last = audits[made].At
		}
	}
	if last.IsZero() || last.After(now) { // a clock was wrong
		last = now.Add(-store.LongestWait)
	}
	return last, newest
}

// settle is Settle at the start of the daemon.
func (a *App) settle(dir string) store.Home {
	ctx, cancel := context.WithTimeout(context.Background(), opening)
	defer cancel()
	h := Settle(ctx, a.ledger, dir, a.log)
	if h.Foreign(place(dir)) {
		a.log.Error("this ledger was last used on another machine, or in another folder; if a daemon still runs there, both write to the CRMs, and records come twice: stop it, then: crmsyncd ledger adopt", "ledger", h.ID)
	}
	return h
}

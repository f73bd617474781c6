package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"
)

const (
	leastSpace = 64 << 20 // bytes below which the disk is as good as full
	someSpace  = 1 << 30  // below which a bad week could fill it
	slowSync   = 50 * time.Millisecond
	uselessly  = time.Second // a commit syncs twice; respond.io waits for 5 s (docs, 2026-11)
	tries      = 5
)

// Space judges the space left in a folder; need is what must fit there once
// more, in bytes: the ledger, which compacting copies.
func Space(dir string, need int64) Finding {
	var at syscall.Statfs_t
	if err := syscall.Statfs(dir, &at); err != nil {
		return missing(dir, err)
	}
	if at.Blocks == 0 {
		return Fine("disk", dir+" has no bounds")
	}
	return space(dir, int64(at.Bavail)*at.Bsize, need)
}

func space(dir string, free, need int64) Finding {
	left := fmt.Sprintf("%s free in %s", size(free), dir)
	switch {
	case free < leastSpace:
		return Bad("disk", left, "make space, or webhooks are answered 503 soon; crmsyncd ledger compact needs some too")
	case free < need:
		return Doubt("disk", left+", less than the ledger has ("+size(need)+")", "make space: crmsyncd ledger compact and a start after a failed write copy the ledger")
	case free < someSpace:
		return Doubt("disk", left, "make space, or let retention: keep less")
	}
	return Fine("disk", left)
}

func size(n int64) string {
	if n < 10<<30 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d GiB", n>>30)
}

func missing(dir string, err error) Finding {
	if errors.Is(err, fs.ErrNotExist) {
		return Doubt("disk", dir+" does not exist yet", "the first start of the daemon makes it")
	}
	return Doubt("disk", dir+" cannot be looked at from here", "run crmsyncd doctor as root or as the daemon's user")
}

// SyncSpeed measures how long the disk of a folder takes to keep a page for
// good. It writes a small file there and removes it.
func SyncSpeed(dir string) Finding {
	f, err := os.CreateTemp(dir, ".doctor-*")
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return Bad("disk speed", "not even a small file can be written in "+dir, "make space")
	case errors.Is(err, syscall.EROFS):
		return Bad("disk speed", dir+" is read-only", "dmesg may say why; mend the file system, mount it writable and restart the daemon")
	case err != nil:
		return missing(dir, err).as("disk speed")
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4<<10)
	var took []time.Duration
	for range tries {
		began := time.Now()
		_, err := f.WriteAt(page, 0)
		if err == nil {
			err = f.Sync()
		}
		if err != nil {
			return Bad("disk speed", "a write to "+dir+" failed", "dmesg may say why; the disk may be full or dying")
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return speed(took[tries/2])
}

func speed(median time.Duration) Finding {
	what := "a write is safe on disk after " + median.Round(10*time.Microsecond).String()
	switch {
	case median > uselessly:
		return Bad("disk speed", what, "senders give up before that: find what else writes there, or move data_dir to another disk")
	case median > slowSync:
		return Doubt("disk speed", what, "a webhook waits for two of them; a local SSD takes a millisecond")
	}
	return Fine("disk speed", what)
}

func (f Finding) as(about string) Finding {
	f.About = about
	return f
}

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
		return Fine("disk-unbounded", "disk", dir+" has no bounds")
	}
	return space(dir, int64(at.Bavail)*int64(at.Bsize), need)
}

func space(dir string, free, need int64) Finding {
	left := fmt.Sprintf("%s free in %s", size(free), dir)
	switch {
	case free < leastSpace:
		return Bad("disk-full", "disk", left, "make space, or webhooks are answered 503 soon; crmsyncd ledger compact needs as much as the ledger has, and 64 MiB beside")
	case need > 0 && free < need+leastSpace:
		return Doubt("disk-less-than-ledger", "disk", left+", too little for a second ledger ("+size(need)+")", "make space: crmsyncd ledger compact, ledger backup and a start after a failed write copy the ledger")
	case free < someSpace:
		return Doubt("disk-little", "disk", left, "make space, or set retention: to keep less")
	}
	return Fine("disk-space", "disk", left)
}

func size(n int64) string {
	if n < 10<<30 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d GiB", n>>30)
}

func missing(dir string, err error) Finding {
	if errors.Is(err, fs.ErrNotExist) {
		return Doubt("folder-missing", "disk", dir+" does not exist yet", "the first start of the daemon makes it")
	}
	return Doubt("folder-unseen", "disk", dir+" cannot be looked at from here", "run crmsyncd doctor as root or as the daemon's user")
}

// SyncSpeed measures how long the disk of a folder takes to keep a page for
// good. It writes a small file there and removes it.
func SyncSpeed(dir string) Finding {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		if bad := unwritable(dir, err); bad != nil {
			return *bad
		}
		return missing(dir, err).as("disk speed")
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4<<10)
	var took []time.Duration
	for useless := 0; len(took) < tries && useless <= tries/2; {
		began := time.Now()
		_, err := f.WriteAt(page, 0)
		if err == nil {
			err = f.Sync()
		}
		if err != nil {
			if bad := unwritable(dir, err); bad != nil {
				return *bad
			}
			return Bad("disk-write-failed", "disk speed", "a write to "+dir+" failed", "journalctl -k may say why: the disk may be dying")
		}
		last := time.Since(began)
		took = append(took, last)
		if last > uselessly {
			useless++ // once most are, the median is
		}
	}
	slices.Sort(took)
	return speed(took[len(took)/2])
}

// unwritable is what is plain from an error; nil: nothing is.
func unwritable(dir string, err error) *Finding {
	var f Finding
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		f = Bad("disk-nothing-left", "disk speed", "not even a small file can be written in "+dir, "make space; df -h and df -i "+dir+" say what has run out, a quota may have too")
	case errors.Is(err, syscall.EROFS):
		f = Bad("disk-read-only", "disk speed", dir+" is read-only", "journalctl -k may say why; mend the file system, mount it writable and restart the daemon")
	default:
		return nil
	}
	return &f
}

func speed(median time.Duration) Finding {
	what := "a write is safe on disk after " + median.Round(10*time.Microsecond).String()
	switch {
	case median > uselessly:
		return Bad("disk-useless", "disk speed", what, "senders give up before that: find what else writes there (iotop), or move data_dir to another disk")
	case median > slowSync:
		return Doubt("disk-slow", "disk speed", what, "a webhook waits for two of them; a local SSD takes a millisecond: find what else writes there (iotop), or move data_dir to another disk")
	}
	return Fine("disk-speed", "disk speed", what)
}

func (f Finding) as(about string) Finding {
	f.About = about
	return f
}

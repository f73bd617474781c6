package app

import (
	"os"
	"syscall"
)

// leastFree is the free space in bytes below which the disk counts as full,
// even if nothing was written that could have found out.
const leastFree = 256 << 10

// full tells whether the file system of a folder has no space left for who is
// not root. Quotas do not show there: the next commit finds out.
func full(dir string) bool {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || fs.Blocks == 0 { // 0: it has no bounds
		return false
	}
	return fs.Bavail*uint64(fs.Bsize) < leastFree
}

// free is the free space in bytes of a folder's file system for who is not root;
// 0 where that is not known.
func free(dir string) int64 {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0
	}
	return int64(fs.Bavail) * int64(fs.Bsize)
}

// reserved are descriptors that connections of senders do not get: for the
// ledger, requests to CRMs and the admin side.
const reserved = 64

// within bounds connections by the descriptors that the process may have open.
// A connection without a descriptor would hang where one too many is closed.
func within(connections int) int {
	var most syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &most); err != nil || most.Cur > 1<<20 {
		return connections
	}
	return max(min(connections, int(most.Cur)-reserved), 1)
}

// openFiles are the descriptors of this process, and how many it may have; 0
// where that is not known.
func openFiles() (open, most int) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil && limit.Cur < 1<<30 {
		most = int(limit.Cur)
	}
	// Since Linux 6.2 the size of the folder is their number, which is a tenth
	// of the work of listing them.
	if fds, err := os.Stat("/proc/self/fd"); err == nil && fds.Size() > 0 {
		return int(fds.Size()), most
	}
	if list, err := os.ReadDir("/proc/self/fd"); err == nil {
		open = len(list) - 1 // one is this look's own
	}
	return open, most
}

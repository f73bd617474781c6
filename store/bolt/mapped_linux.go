package bolt

import (
	"fmt"
	"os"
	"syscall"
)

// residentFiles is how much memory of the process is pages of files, in bytes; 0
// if that is not known.
func residentFiles() int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident, files int
	if _, err := fmt.Sscan(string(text), &size, &resident, &files); err != nil {
		return 0
	}
	return files * os.Getpagesize()
}

// unmapResident lets go of the pages of a mapped file; who reads there gets them
// back from the page cache.
func unmapResident(at, size uintptr) {
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, at, size, syscall.MADV_DONTNEED)
}

package bolt

import (
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// A walker goes through a file by keys, here and there, and a file that is not in
// memory is read a little at a time then. From its beginning to its end, and much
// at once, it is read several times as fast. That is of use only where all of it
// stays in memory until the walker comes to it.

const (
	aheadAtOnce  = 1 << 20 // bytes
	aheadWorkers = 2
)

// readFirst has the kernel read a file into the page cache, if there is room for
// twice as much. It goes on until all is read or stop is called.
func readFirst(f *os.File, size int64) (stop func()) {
	if size > room("/")/2 {
		return func() {}
	}
	over := make(chan struct{})
	var workers sync.WaitGroup
	for n := range int64(aheadWorkers) {
		workers.Go(func() {
			for at := n * aheadAtOnce; at < size; at += aheadWorkers * aheadAtOnce {
				select {
				case <-over:
					return
				default:
				}
				if _, _, err := syscall.Syscall(syscall.SYS_READAHEAD, f.Fd(), uintptr(at), aheadAtOnce); err != 0 {
					return
				}
			}
		})
	}
	return func() {
		close(over)
		workers.Wait()
	}
}

// room is how many bytes may be used: what the machine has available, and what
// the control groups of this process allow. root is / but in tests.
func room(root string) int64 {
	bytes := int64(0)
	info, _ := os.ReadFile(path.Join(root, "proc/meminfo"))
	for line := range strings.Lines(string(info)) {
		if n, err := fmt.Sscanf(line, "MemAvailable: %d kB", &bytes); n == 1 && err == nil {
			bytes <<= 10
			break
		}
	}
	groups, _ := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	for line := range strings.Lines(string(groups)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		for ; ok; group = path.Dir(group) {
			for _, bound := range []string{"memory.high", "memory.max"} {
				text, _ := os.ReadFile(path.Join(root, "sys/fs/cgroup", group, bound))
				if most, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil { // else "max"
					bytes = min(bytes, most)
				}
			}
			ok = group != "/" && group != "."
		}
	}
	return bytes
}

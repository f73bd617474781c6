package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// BenchmarkIdle reports the resident memory of a real daemon that has just
// started and waits.
func BenchmarkIdle(b *testing.B) {
	p := &process{t: b, dir: b.TempDir()}
	private := "unix:" + filepath.Join(p.dir, "admin.sock")
	if err := writeConfig(p.dir, "127.0.0.1:0", private, "http://127.0.0.1:1"); err != nil {
		b.Fatal(err)
	}
	p.start()
	if _, err := readyAt(private); err != nil {
		b.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kb); n == 1 {
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(kb/1024, "MiB-RSS")
		}
	}
	if err := p.end(syscall.SIGTERM); err != nil {
		b.Error(err)
	}
}

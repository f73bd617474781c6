package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

// BenchmarkIdle reports the resident memory of a real daemon that has just
// started and waits.
func BenchmarkIdle(b *testing.B) {
	listen, err := freeAddress()
	if err != nil {
		b.Fatal(err)
	}
	private, err := freeAddress()
	if err != nil {
		b.Fatal(err)
	}
	p := &process{t: b, dir: b.TempDir()}
	if err := writeConfig(p.dir, listen, private, "http://127.0.0.1:1"); err != nil {
		b.Fatal(err)
	}
	p.start()
	if err := poll(func() error {
		resp, err := http.Get("http://" + private + "/readyz")
		if err == nil {
			resp.Body.Close()
		}
		return err
	}); err != nil {
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

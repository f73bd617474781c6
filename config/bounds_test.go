package config_test

import (
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
)

// TestNoFileTakesASecondToRead tries the worst that fits into a file, of what
// is read beside its YAML: secrets.
func TestNoFileTakesASecondToRead(t *testing.T) {
	if raced {
		t.Skip("times mean nothing with the race detector")
	}
	computed := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	for name, text := range map[string]string{
		"many references":           "a: \"" + strings.Repeat("${X}", 250_000) + "\"",
		"many open references":      "a: \"" + strings.Repeat("${", 500_000) + "\"",
		"many lines of them":        "a:\n" + strings.Repeat("  - ${X}\n", 100_000),
		"many secrets":              "token:\n" + strings.Repeat("  - secret: x\n", 70_000),
		"many passwords in URLs":    strings.Repeat("://a:b", 170_000) + "@",
		"one key of many words":     strings.Repeat("token", 200_000),
		"many sources":              "sources:\n" + strings.Repeat("  a: {type: telli}\n", 50_000),
		"a reference of a megabyte": "a: ${" + strings.Repeat("x", 1_000_000) + "}",
		"ten megabytes":             strings.Repeat("token: x\n", 1_100_000),
	} {
		began := computed()
		_, ps := config.Read("config.yaml", []byte(text[:min(len(text), 1<<20+1)]), config.Env{Getenv: func(string) (string, bool) { return "", false }})
		ps.Render(io.Discard)
		if took := computed() - began; took >= 3*time.Second { // 0.3 s at most, where it was written
			t.Errorf("%s: took %v", name, took)
		}
		if ps.Err() == nil {
			t.Errorf("%s: no problem", name)
		}
	}
}

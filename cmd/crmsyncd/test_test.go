package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReplaceKeepsAFileThatCannotBeWrittenWhole(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "mapping_test.yaml"), filepath.Join(dir, "link.yaml")
	if err := os.WriteFile(path, []byte("cases: []\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := replace(link, []byte("cases: [x]\n")); err != nil {
		t.Fatal(err)
	}
	full := func() (err error) { // a disk that takes 1 kB of a file more
		var was syscall.Rlimit
		if err = syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
			t.Fatal(err)
		}
		if err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 10, Max: was.Max}); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was) }()
		return replace(path, []byte(strings.Repeat("#", 4<<10)))
	}
	if err := full(); err == nil {
		t.Error("more was written than fits")
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "cases: [x]\n" {
		t.Errorf("the file has become %.40q, %v", got, err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*.yaml.*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

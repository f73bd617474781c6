package bolt

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRoom(t *testing.T) {
	t.Parallel()
	const machine = 8 << 30
	for name, c := range map[string]struct {
		group  string
		bounds map[string]string
		want   int64
	}{
		"of a machine":                {"0::/\n", nil, machine},
		"of a unit":                   {"0::/system.slice/crmsyncd.service\n", map[string]string{"system.slice/crmsyncd.service/memory.high": "536870912\n", "system.slice/crmsyncd.service/memory.max": "805306368\n"}, 512 << 20},
		"of what is above it":         {"0::/a/b/c\n", map[string]string{"a/memory.max": "1073741824\n", "a/b/c/memory.max": "max\n"}, 1 << 30},
		"of a container":              {"0::/\n", map[string]string{"memory.max": "268435456\n"}, 256 << 20},
		"under control groups 1":      {"5:memory:/x\n1:name=systemd:/\n", map[string]string{"x/memory.max": "1\n"}, machine},
		"where more than all is said": {"0::/x\n", map[string]string{"x/memory.max": "99999999999999\n"}, machine},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			write := func(name, text string) {
				t.Helper()
				name = filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("proc/meminfo", "MemTotal:       16777216 kB\nMemFree:  100 kB\nMemAvailable:    8388608 kB\n")
			write("proc/self/cgroup", c.group)
			for bound, text := range c.bounds {
				write(filepath.Join("sys/fs/cgroup", bound), text)
			}
			if got := room(root); got != c.want {
				t.Errorf("%d bytes, want %d", got, c.want)
			}
		})
	}
	t.Run("of this machine", func(t *testing.T) {
		t.Parallel()
		if got := room("/"); got <= 0 {
			t.Errorf("%d bytes", got)
		}
	})
}

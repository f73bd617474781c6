package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Private judges whether a file or folder that holds secrets or personal data
// is closed to other users. What is not there gives no Finding.
func Private(path string) []Finding {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return []Finding{Doubt("file-unseen", "files", path+" cannot be looked at from here", "run crmsyncd doctor as root or as the daemon's user")}
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		want := "0600"
		if info.IsDir() {
			want = "0700"
		}
		return []Finding{Bad("file-open", "files", fmt.Sprintf("%s is open to every user of this machine (%04o)", path, mode), "chmod "+want+" "+path)}
	}
	return []Finding{Fine("file-closed", "files", path+" is closed to other users")}
}

// spare are the descriptors that a daemon needs beside connections.
const spare = 64

// OpenFiles judges a process's descriptors: open now (0: not known), most
// allowed, and the connections that it is to take.
func OpenFiles(open, most, connections int) Finding {
	what := fmt.Sprintf("%d files may be open", most)
	if open > 0 {
		what = fmt.Sprintf("%d of %d files that may be open are", open, most)
	}
	mend := fmt.Sprintf("systemctl edit crmsyncd: [Service] LimitNOFILE=%d, or more; then systemctl restart crmsyncd", 2*(connections+spare))
	switch {
	case most == 0:
		return Fine("open-files-unbounded", "open files", "no bound")
	case open*10 > most*9:
		return Bad("open-files-used-up", "open files", what, mend)
	case most < connections+spare:
		return Doubt("open-files-few", "open files", fmt.Sprintf("%s, too few for limits.connections (%d)", what, connections), mend+", or lower limits.connections")
	}
	return Fine("open-files", "open files", what)
}

// Unit judges the systemd unit below a root folder: / but in tests. On a
// machine without systemd there is no Finding.
func Unit(root string) []Finding {
	if _, err := os.Stat(filepath.Join(root, "run/systemd/system")); err != nil {
		return nil
	}
	there := func(paths ...string) bool {
		for _, p := range paths {
			if _, err := os.Lstat(filepath.Join(root, p)); err == nil {
				return true
			}
		}
		return false
	}
	const unit = "crmsyncd.service"
	switch {
	case !there("/usr/lib/systemd/system/"+unit, "/lib/systemd/system/"+unit, "/etc/systemd/system/"+unit):
		return []Finding{Doubt("unit-missing", "systemd", "there is no "+unit, "install the package, or start crmsyncd serve by other means at every boot")}
	case !there("/etc/systemd/system/multi-user.target.wants/" + unit):
		return []Finding{Doubt("unit-not-at-boot", "systemd", unit+" does not start at boot", "systemctl enable --now crmsyncd")}
	case !there("/etc/systemd/system/sockets.target.wants/crmsyncd.socket", "/etc/systemd/system/crmsyncd.service.wants/crmsyncd.socket"):
		return []Finding{Doubt("socket-not-at-boot", "systemd", "crmsyncd.socket does not start at boot: senders may be refused during a restart", "systemctl enable --now crmsyncd.socket")}
	}
	return []Finding{Fine("unit", "systemd", unit+" and its socket start at boot")}
}

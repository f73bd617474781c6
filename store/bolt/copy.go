package bolt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
)

// copyTo writes a copy, with temp for its name until it is whole and durable,
// and returns it, locked.
func (at *opened) copyTo(o Options, temp, path string) (_ *os.File, err error) {
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err == nil {
			return
		}
		err = errors.Join(err, f.Close(), os.Remove(temp))
		err = needsSpace(err, "the copy that is made before the ledger is used", at.info.Size())
	}()
	if err := flock(f, o.Timeout); err != nil {
		return nil, err
	}
	if err := keepOwner(f, at.info); err != nil {
		return nil, err
	}
	if err := at.db.View(func(tx *bbolt.Tx) error { _, err := tx.WriteTo(f); return err }); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	crashpoint.At("copy.written")
	if err := os.Rename(temp, path); err != nil {
		return nil, err
	}
	crashpoint.At("copy.renamed")
	return f, syncDir(path)
}

// keepOwner gives a copy to whom the original belongs: root looks at the ledger
// while the daemon is stopped, and the daemon, which is not root, must be able
// to open the file afterwards.
func keepOwner(f *os.File, original fs.FileInfo) error {
	st, ok := original.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() {
		return nil
	}
	return f.Chown(int(st.Uid), int(st.Gid))
}

// syncDir makes a rename durable.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

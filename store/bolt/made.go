package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/crmsyncd/crmsyncd/store"
)

// madeFile lies beside a ledger from its first start on. A ledger that is
// missing is then a loss to be told of, where a first start makes one.
const madeFile = "ledger.made"

const madeText = `crmsyncd made a ledger in this folder. If ledger.db is missing, get it back:
crmsyncd ledger restore BACKUP
Or delete this file, and crmsyncd begins with an empty ledger.
`

func madePath(ledger string) string { return filepath.Join(filepath.Dir(ledger), madeFile) }

// neverMade refuses to make a ledger where there was one.
func neverMade(ledger string) error {
	_, err := os.Lstat(madePath(ledger))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: it is missing, and there was one; check data_dir, then use a backup (crmsyncd ledger restore FILE), or delete %s to begin with an empty ledger",
		store.ErrCorrupt, madePath(ledger))
}

// noteMade writes the file. Where it cannot, such as on a full disk, the next
// start does.
func noteMade(o Options) {
	f, err := os.OpenFile(madePath(o.Path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return
	}
	if err == nil {
		_, err = f.WriteString(madeText)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		o.Log.Warn("it could not be noted that there is a ledger", "err", err)
	}
}

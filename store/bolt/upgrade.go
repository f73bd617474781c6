package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/store"
)

// oldLayoutError says that a file can be brought to today's layout; it is a
// store.ErrSchema. With today's version it lacks buckets that were added since.
type oldLayoutError struct{ version int }

func (e *oldLayoutError) Error() string {
	return fmt.Sprintf("%v: its schema is %d, this one knows %d; crmsyncd ledger migrate brings it there and keeps the file as it is beside it, as the next start of crmsyncd serve does",
		store.ErrSchema, e.version, schema)
}

func (e *oldLayoutError) Unwrap() error { return store.ErrSchema }

// KeptAs is the name under which Open keeps a file of an older layout.
func KeptAs(path string, version int) string { return fmt.Sprintf("%s.v%d", path, version) }

// keptOlder is the file of a layout known here that an upgrade kept beside the
// ledger, the newest of them; FILE where there is none.
func (l *Ledger) keptOlder() string {
	for v := schema; v >= oldestSchema; v-- {
		if kept := KeptAs(l.path, v); exists(kept) {
			return kept
		}
	}
	return "FILE"
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// upgraded brings the file at o.Path from an older layout to today's and
// returns it, locked. The file as it was is kept first, durably.
func upgraded(o Options, version int) (*os.File, error) {
	f, err := openFile(o)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	at := &opened{file: f, info: info}
	if at.db, err = openBolt(f, o); err != nil {
		return nil, err
	}
	if version < schema {
		kept := KeptAs(o.Path, version)
		o.Log.Info("the ledger is brought to today's layout", "path", o.Path, "from", version, "to", schema, "kept", kept)
		var old *os.File
		if old, err = at.copyTo(o, kept+".part", kept); err == nil {
			err = old.Close()
		}
	}
	crashpoint.At("upgrade.copied")
	if err == nil {
		err = at.db.Update(upgrade)
	}
	crashpoint.At("upgrade.written")
	if err = errors.Join(err, at.db.Close()); err != nil {
		return nil, err
	}
	return openFile(o)
}

// upgrade is one transaction: after a crash the file is of one layout or of
// the other. Layouts 3 and 4 have buckets more than the one before; all else is the same.
func upgrade(tx *bbolt.Tx) error {
	for _, b := range buckets {
		if _, err := tx.CreateBucketIfNotExists([]byte(b.name)); err != nil {
			return err
		}
	}
	return (&txn{tx: tx}).put(metaBucket, schemaKey, binary.AppendUvarint(newRecord(8), schema))
}

// OldLayout tells whether Open gave err because the file has an older layout,
// which Options.Migrate would mend, and which one.
func OldLayout(err error) (version int, old bool) {
	e, old := errors.AsType[*oldLayoutError](err)
	if !old {
		return 0, false
	}
	return e.version, true
}

//go:build !crashpoints

package crashpoint

import "time"

// NoSync would have the ledger leave out every fsync.
const NoSync = false

// At is a point at which a test may end the process.
func At(string) {}

// Writes adds the points between the writes of a bbolt database.
func Writes(any) {}

// Soon is d; where points are built in it may be a moment.
func Soon(d time.Duration) time.Duration { return d }

//go:build !linux

package sd

import "time"

// monotonic is of no use without systemd.
func monotonic() time.Duration { return 0 }

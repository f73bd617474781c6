package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Go collects garbage when the heap has doubled. A daemon that has little in
// memory would do so many times a second under load, at a sixth of its work:
// it may use some memory more instead. How much is bounded in bytes, so that a
// large heap still only doubles.
const (
	spareHeap   = 48 << 20 // bytes of garbage that may lie about, at least
	mostGarbage = 400      // percent of what is in use: what idles stays small
)

// collectLater has garbage collected less often, unless GOGC says how often.
func collectLater() {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	percent := 0
	var collected func(*[2]uint64)
	collected = func(again *[2]uint64) {
		metrics.Read(live)
		if p := garbage(live[0].Value.Uint64()); p != percent {
			percent = p
			debug.SetGCPercent(p)
		}
		// What nobody has any more is finalized after each collection.
		runtime.SetFinalizer(again, collected)
	}
	collected(new([2]uint64))
}

// garbage is how many percent of a heap in use may be garbage, in steps of 50.
func garbage(live uint64) int {
	return int(min(max(100*spareHeap/max(live, 1)/50*50, 100), mostGarbage))
}

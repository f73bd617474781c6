//go:build race

package mapping

// raced says that the race detector is on, with which times mean nothing.
const raced = true

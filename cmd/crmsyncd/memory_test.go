package main

import "testing"

// TestGarbage/a small heap may grow several times, a large one doubles.
func TestGarbage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		live uint64
		want int
	}{{0, 400}, {4 << 20, 400}, {16 << 20, 300}, {30 << 20, 150}, {48 << 20, 100}, {1 << 30, 100}} {
		if got := garbage(c.live); got != c.want {
			t.Errorf("of %d bytes in use %d %% may be garbage, want %d", c.live, got, c.want)
		}
	}
}

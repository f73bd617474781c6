package httpx

import (
	"net/http"
	"testing"
	"time"
)

// FuzzRetryAfter holds that no wait that is asked for is negative, or so long
// that it cannot be counted.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"5", "-1", "1e99", "NaN", "Inf", "0x10", "Tue, 01 Jan 2999 00:00:00 GMT", "Mon, 02 Jan 0001 00:00:00 GMT", "", "x", "5, 6", "99999999999999999999"} {
		f.Add(s)
	}
	now := time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		if d := retryAfter(http.Header{"Retry-After": {text}}, now); d < 0 || d > 366*24*time.Hour {
			t.Errorf("%q is a wait of %v", text, d)
		}
	})
}

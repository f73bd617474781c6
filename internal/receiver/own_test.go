package receiver_test

import (
	"net/http"
	"testing"
	"time"
)

func TestSenderCannotPassForUs(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	body := `{"event":"call_ended","id":"1","contact":"k1"}`
	h := http.Header{"Content-Type": {"application/vnd.crmsyncd.telli.read+json"}}
	sign(t, h, secret, "msg_1", body, time.Now())
	if resp, answer := b.do(t, "POST", "/hooks/telli", body, h); resp.StatusCode != http.StatusOK {
		t.Fatalf("answered %d %s", resp.StatusCode, answer)
	}
	if got := b.ledger.kept()[0].ContentType; got != "application/json" {
		t.Errorf("it is kept as %s", got)
	}
}

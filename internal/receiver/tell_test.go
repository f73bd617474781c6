package receiver_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/receiver"
)

// punished is a source whose vendor punishes refusals of forged signatures.
type punished struct{ signed }

func (punished) Warning(reason string) string {
	if reason != "bad_signature" {
		return ""
	}
	return "the vendor switches off everything"
}

func TestTheFirstRefusalThatAVendorPunishesIsAnAlarm(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *receiver.Options) {
		all := o.Sources()
		all["chat"] = receiver.Source{Name: "chat", Vendor: "respondio", Source: punished{all["telli"].Source.(signed)}}
	})
	b.do(t, "POST", "/hooks/chat", "{}", http.Header{"Content-Type": {"application/json"}})
	for range 3 {
		h := http.Header{"Content-Type": {"application/json"}}
		sign(t, h, otherSecret, "msg_1", "{}", time.Now())
		b.do(t, "POST", "/hooks/chat", "{}", h)
	}
	b.Close() // the log is written after the answer
	counted := 0
	for len(b.seen) > 0 {
		if <-b.seen == "chat refused bad_signature" {
			counted++
		}
	}
	if counted != 3 {
		t.Errorf("%d refusals are counted, want 3", counted)
	}
	log := b.log.String()
	if n := strings.Count(log, "switches off everything"); n != 1 || strings.Count(log, "level=ERROR") != 1 {
		t.Errorf("want one alarm, got\n%s", log)
	}
	if !strings.Contains(log, "level=WARN msg=\"a webhook was refused\" source=chat reason=no_signature") {
		t.Errorf("want a warning without alarm where there is no signature, got\n%s", log)
	}
}

// Scanners ask for paths all day: the sender with a wrong address is told of
// whenever it comes.
func TestAWrongAddressIsToldOfAmongOtherUnknownPaths(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, path := range []string{"/wp-login.php", "/hook/telli", "/hook/telli", "/.env"} {
		b.do(t, "POST", path, "{}", http.Header{"Content-Type": {"application/json"}})
	}
	b.Close() // the log is written after the answer
	if log := b.log.String(); strings.Count(log, "belong to /hooks/telli") != 1 {
		t.Errorf("want one line that names the right address, got\n%s", log)
	}
}

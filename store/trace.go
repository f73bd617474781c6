package store

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/crmsyncd/crmsyncd/event"
)

// InTrace is the trace that all work for the event belongs to: that of its
// webhook, else one of its own, not sampled. Span is that of taking the event in.
// What is not brought is made of what tells the event from others, so that it is
// the same at every attempt and after a restart; and not of Seq, as it must be
// known before that is.
func (e Event) InTrace() event.Trace {
	b := make([]byte, 0, 256)
	for _, s := range []string{e.Source, e.DeliveryID, e.ContentKey} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(b, uint64(e.ReceivedAt.UnixMicro())))
	t := event.Trace{ID: [16]byte(sum[:16])}
	if e.Trace != nil {
		t = *e.Trace
	}
	t.Span = [8]byte(sum[16:24])
	return t
}

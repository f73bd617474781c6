package bolt

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// talk is a payload of about n bytes with a transcript in it.
func talk(n int) []byte {
	words := strings.Fields("guten tag hier ist der assistent von muster und co es geht um ihre anfrage passt es gerade ja gern wann haben sie zeit am dienstag um zehn uhr wäre gut vielen dank bis dann termin angebot rechnung lieferung adresse telefon")
	r := rand.New(rand.NewPCG(1, uint64(n)))
	var b strings.Builder
	b.WriteString(`{"event":"call_ended","call":{"call_id":"9f86d081-884c-7d65-9a2f-eaa0c55ad015","from":"+4930231250","to":"+4930231259","status":"completed","transcript":"`)
	for b.Len() < n {
		fmt.Fprintf(&b, "Agent: %s %s %s %s %d. User: %s %s.\\n", words[r.IntN(len(words))], words[r.IntN(len(words))], words[r.IntN(len(words))], words[r.IntN(len(words))], r.IntN(1000), words[r.IntN(len(words))], words[r.IntN(len(words))])
	}
	b.WriteString(`"}}`)
	return []byte(b.String())
}

// BenchmarkPayload measures what compressing and encrypting a payload takes of
// the caller's time, and what of the payload is left to be written.
func BenchmarkPayload(b *testing.B) {
	for name, r := range map[string]*ring{"plain": nil, "encrypted": newRing([]Key{testKey(b, 1)})} {
		for _, n := range []int{1 << 10, 4 << 10, 200 << 10} {
			body := talk(n)
			b.Run(fmt.Sprintf("%s/%dKB", name, n>>10), func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				var p packed
				for b.Loop() {
					p, _ = r.pack(body)
				}
				b.ReportMetric(100*float64(len(p.raw))/float64(len(body)), "%kept")
			})
			p, err := r.pack(body)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%s/%dKB/read", name, n>>10), func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					if _, err := r.unpack(p, r != nil); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkAppendPayload appends payloads of 64 writers.
func BenchmarkAppendPayload(b *testing.B) {
	for _, n := range []int{4 << 10, 200 << 10} {
		for _, keys := range [][]Key{nil, {testKey(b, 1)}} {
			b.Run(fmt.Sprintf("%dKB/%d keys", n>>10, len(keys)), func(b *testing.B) {
				l, err := openWith(b, b.TempDir(), keys...)
				if err != nil {
					b.Fatal(err)
				}
				defer l.Close()
				body := talk(n)
				b.SetBytes(int64(n))
				measure(b, 64, func(i int) {
					e := numbered(i)
					e.Body = body
					if _, err := l.Append(b.Context(), e); err != nil {
						b.Error(err)
					}
				})
			})
		}
	}
}

package bolt

import (
	"hash/crc32"

	"github.com/klauspost/compress/s2"
)

// packFrom is from how many bytes on bodies are compressed: where it begins to
// save pages. At the ledger, appends of 4 KB took no more time with it than
// without; other sizes and whole webhooks differ (docs/decisions/0014-payloads.md).
const packFrom = 2 << 10

// maxBody bounds what a record may claim to decompress to, in bytes.
const maxBody = 1 << 30

// packed is a body as it lies in the file.
type packed struct {
	raw  []byte
	size int    // of the body as it came
	s2   bool   // raw is compressed
	sum  uint32 // of raw
}

// pack compresses a body where that pays, and encrypts it. What binds it to its
// event is that the header authenticates how it begins.
func (r *ring) pack(body []byte) (p packed, err error) {
	p = packed{raw: body, size: len(body)}
	if len(body) >= packFrom {
		// Less than an eighth saved is not worth the reading.
		if c := s2.Encode(nil, body); len(c) < len(body)-len(body)/8 {
			p.raw, p.s2 = c, true
		}
	}
	if r.encrypts() && len(body) > 0 {
		p.raw, err = r.seal(make([]byte, 0, len(p.raw)+sealedLen), p.raw, bodyPlace)
	}
	p.sum = crc32.Checksum(p.raw, castagnoli)
	return p, err
}

var bodyPlace = []byte("body")

// unpack gives a body as it came, in memory of its own.
func (r *ring) unpack(p packed, sealed bool) (body []byte, err error) {
	if len(p.raw) == 0 {
		return nil, nil
	}
	body = p.raw
	if sealed {
		if body, err = r.open(body, bodyPlace); err != nil {
			return nil, err
		}
	}
	switch {
	case p.s2:
		n, err := s2.DecodedLen(body)
		if err != nil || n != p.size || n > maxBody {
			return nil, errUnpack
		}
		if body, err = s2.Decode(nil, body); err != nil {
			return nil, errUnpack
		}
	case !sealed:
		body = append([]byte(nil), body...)
	}
	return body, nil
}

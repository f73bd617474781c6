package sources

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Tolerance is how far the time of a signed request may be from our clock, in
// both directions (Standard Webhooks specification and libraries, read 2026-11).
const Tolerance = 5 * time.Minute

// minSecret is the shortest key taken, in bytes. The specification asks for 24
// to 64; some senders let people choose their own.
const minSecret = 16

// StandardWebhooks checks signatures by the Standard Webhooks specification,
// which is also Svix's: HMAC-SHA256 over id, time and body.
type StandardWebhooks struct {
	keys [][]byte
}

// NewStandardWebhooks takes the secrets of an endpoint: several while they are
// being rotated. Each is base64, with or without whsec_ in front. The error
// says which one is unfit and never quotes it.
func NewStandardWebhooks(secrets []string) (*StandardWebhooks, error) {
	if len(secrets) == 0 {
		return nil, errors.New("no signing secret is given")
	}
	s := &StandardWebhooks{}
	for i, secret := range secrets {
		key, err := decodeSecret(secret)
		if err != nil {
			if len(secrets) > 1 {
				return nil, fmt.Errorf("signing secret %d of %d: %w", i+1, len(secrets), err)
			}
			return nil, fmt.Errorf("signing secret: %w", err)
		}
		s.keys = append(s.keys, key)
	}
	return s, nil
}

func decodeSecret(secret string) ([]byte, error) {
	text := strings.TrimPrefix(strings.TrimSpace(secret), "whsec_")
	if text == "" {
		return nil, errors.New("it is empty")
	}
	key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, errors.New("it is not base64; copy it whole, as the sender shows it (whsec_…)")
	}
	if len(key) < minSecret {
		return nil, fmt.Errorf("it is too short: %d bytes, at least %d are needed", len(key), minSecret)
	}
	return key, nil
}

// families are the prefixes of the three headers. Svix sends its own unless
// the account is set up for the standard's.
var families = [...]struct{ id, timestamp, signature string }{
	{"Svix-Id", "Svix-Timestamp", "Svix-Signature"},
	{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"},
}

// family chooses the headers of a request: the first family that is whole.
// Where none is, the first of which anything is there, so that the reason fits.
func family(h http.Header) int {
	partial := -1
	for i, f := range families {
		found := 0
		for _, name := range []string{f.id, f.timestamp, f.signature} {
			if len(h[name]) > 0 {
				found++
			}
		}
		if found == 3 {
			return i
		}
		if found > 0 && partial < 0 {
			partial = i
		}
	}
	return max(partial, 0)
}

// MessageID returns the id of the message, the same over all attempts to
// deliver it; "" if there is none.
func (*StandardWebhooks) MessageID(h http.Header) string {
	if v := h[families[family(h)].id]; len(v) == 1 {
		return v[0]
	}
	return ""
}

// Verify returns nil if one signature fits one secret and the time is within
// Tolerance of now, else a *Refusal. Every signature is compared with every
// key, whatever was found before, so that time tells nothing.
//
// The time is looked at last: a refusal for its sake then means an authentic
// request, and in practice a clock that is wrong.
func (s *StandardWebhooks) Verify(h http.Header, body []byte, now time.Time) error {
	f := families[family(h)]
	id, timestamp, signature := h[f.id], h[f.timestamp], h[f.signature]
	switch {
	case len(signature) == 0:
		return Unauthentic("no_signature")
	case len(id) == 0 || len(timestamp) == 0:
		return Unauthentic("incomplete_signature")
	case len(id) > 1 || len(timestamp) > 1 || len(signature) > 1:
		return Unauthentic("repeated_header")
	case id[0] == "" || len(id[0]) > 256:
		return Unauthentic("bad_message_id")
	}
	at, ok := epochSeconds(timestamp[0])
	if !ok {
		return Unauthentic("bad_timestamp")
	}
	if !s.matches(signature[0], id[0], timestamp[0], body) {
		return Unauthentic("bad_signature")
	}
	switch age := now.Sub(at); {
	case age > Tolerance:
		return Unauthentic("old_timestamp")
	case age < -Tolerance:
		return Unauthentic("future_timestamp")
	}
	return nil
}

func (s *StandardWebhooks) matches(header, id, timestamp string, body []byte) bool {
	var wanted [8][sha256.Size]byte
	macs := wanted[:0]
	for _, key := range s.keys {
		macs = append(macs, mac(key, id, timestamp, body))
	}
	match := false
	for part := range strings.FieldsSeq(header) {
		text, ok := strings.CutPrefix(part, "v1,")
		if !ok {
			continue
		}
		var given [sha256.Size + 1]byte
		if len(text) != base64.StdEncoding.EncodedLen(sha256.Size) {
			continue
		}
		n, err := base64.StdEncoding.Strict().Decode(given[:], []byte(text))
		if err != nil || n != sha256.Size {
			continue
		}
		for i := range macs {
			if hmac.Equal(given[:n], macs[i][:]) {
				match = true
			}
		}
	}
	return match
}

func mac(key []byte, id, timestamp string, body []byte) (sum [sha256.Size]byte) {
	m := hmac.New(sha256.New, key)
	head := make([]byte, 0, 96)
	head = append(append(append(append(head, id...), '.'), timestamp...), '.')
	m.Write(head)
	m.Write(body)
	m.Sum(sum[:0])
	return sum
}

// epochSeconds reads plain digits only: no sign, no exponent, no blanks.
func epochSeconds(s string) (time.Time, bool) {
	if s == "" || len(s) > 12 {
		return time.Time{}, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return time.Time{}, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return time.Unix(n, 0), err == nil
}

// Sign sets the svix-… headers for body, signed with the first secret.
func (s *StandardWebhooks) Sign(h http.Header, id string, at time.Time, body []byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	sum := mac(s.keys[0], id, timestamp, body)
	h.Set("Svix-Id", id)
	h.Set("Svix-Timestamp", timestamp)
	h.Set("Svix-Signature", "v1,"+base64.StdEncoding.EncodeToString(sum[:]))
}

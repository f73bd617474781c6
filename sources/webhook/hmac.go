package webhook

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/sources"
)

// hmacProof is a signature by a shared secret.
type hmacProof struct {
	header, part, prefix string
	hash                 func() hash.Hash
	encoding             string
	signs                template
	timestamp            Timestamp // zero if no time is signed
	tolerance            time.Duration
	keys                 [][]byte
}

var hashes = map[string]func() hash.Hash{"sha256": sha256.New, "sha1": sha1.New, "sha512": sha512.New}

func (u *setup) hmac(a Authenticator) authenticator {
	c := *a.HMAC
	first(&c.Algorithm, "sha256")
	first(&c.Encoding, "hex")
	first(&c.Signs, "{body}")
	first(&c.Tolerance, sources.Tolerance)
	p := &hmacProof{
		header: c.Header, part: c.Part, prefix: c.Prefix, hash: hashes[c.Algorithm], encoding: c.Encoding, tolerance: c.Tolerance,
		keys: u.decoded(a, u.keys(a, c.Secret)),
	}
	u.headerName(a.node.Get("header"), c.Header)
	if p.hash == nil {
		u.bad(a.node.Get("algorithm"), "it is sha256, sha1 or sha512", "")
	}
	if !slices.Contains([]string{"hex", "base64", "base64url"}, c.Encoding) {
		u.bad(a.node.Get("encoding"), "it is hex, base64 or base64url", "")
	}
	if c.Tolerance < time.Second || c.Tolerance > 30*24*time.Hour {
		u.bad(a.node.Get("tolerance"), "wants 1s to 30d", "")
	}
	p.signs = u.template(a.node.Get("signs"), c.Signs)
	u.signedTime(a, p, c.Timestamp)
	return p
}

// decoded are the keys whose text is base64 or hex.
func (u *setup) decoded(a Authenticator, keys [][]byte) [][]byte {
	decode := func(s string) ([]byte, error) { return []byte(s), nil }
	switch a.HMAC.Decode {
	case "":
	case "hex":
		decode = hex.DecodeString
	case "base64":
		decode = func(s string) ([]byte, error) { return base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "=")) }
	default:
		u.bad(a.node.Get("decode"), "it is base64 or hex", "")
	}
	for i, k := range keys {
		key, err := decode(string(k))
		if err != nil {
			u.bad(a.node.Get("decode"), "a secret is not "+a.HMAC.Decode, "copy it whole, as the vendor shows it, or leave decode out")
			continue
		}
		keys[i] = key
	}
	return keys
}

// signedTime checks that a time, where there is one, is covered by the
// signature: else anybody could send an old request with a new time.
func (u *setup) signedTime(a Authenticator, p *hmacProof, t *Timestamp) {
	signed := p.signs.has("timestamp")
	switch {
	case t == nil && signed:
		u.bad(a.node.Get("signs"), "{timestamp} is signed, and it is not said where it stands", "add timestamp: {header: …} or timestamp: {part: …}")
	case t == nil:
	case (t.Header == "") == (t.Part == ""):
		u.bad(a.node.Get("timestamp"), "wants either a header or a part", "write it like {header: X-Timestamp}")
	case !signed && !(t.Header != "" && p.signs.has("header."+t.Header)):
		u.bad(a.node.Get("timestamp"), "the signature does not cover the time, so that it proves nothing", `add {timestamp} to signs, as in "{timestamp}.{body}"`)
	default:
		if t.Header != "" {
			u.headerName(a.node.Get("timestamp").Get("header"), t.Header)
		}
		p.timestamp = *t
	}
}

// headerForm is what may be the name of a header (RFC 9110, section 5.6.2).
var headerForm = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

func (u *setup) headerName(n *diag.Node, name string) {
	if !headerForm.MatchString(name) {
		u.bad(n, fmt.Sprintf("%q cannot be the name of a header", name), "")
	}
}

// mostSignatures bounds how many signatures of one request are looked at:
// vendors send one for each secret that is in force.
const mostSignatures = 8

func (p *hmacProof) verify(m *message) string {
	value, reason := single(m.Header, p.header)
	if reason != "" {
		return reason
	}
	given := [][]byte{}
	stamp := ""
	if p.part == "" {
		given = p.decode(given, value)
	}
	for part := range strings.SplitSeq(value, ",") {
		name, text, ok := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case !ok:
		case p.part != "" && name == p.part && len(given) < mostSignatures:
			given = p.decode(given, text)
		case p.timestamp.Part != "" && name == p.timestamp.Part:
			if stamp != "" {
				return "repeated_timestamp"
			}
			stamp = text
		}
	}
	if p.timestamp.Header != "" {
		if stamp, reason = single(m.Header, p.timestamp.Header); reason != "" {
			return "bad_timestamp"
		}
	}
	if !p.matches(m, given, stamp) {
		return "bad_signature"
	}
	if p.timestamp == (Timestamp{}) {
		return ""
	}
	// The time is looked at last, so that a refusal for its sake means an
	// authentic request.
	at, ok := sources.ParseTime(strings.TrimSpace(stamp))
	return freshness(at, ok, m.At, p.tolerance)
}

// freshness says why a signed time is too far from now; "" if it is not.
func freshness(at time.Time, ok bool, now time.Time, tolerance time.Duration) string {
	switch age := now.Sub(at); {
	case !ok:
		return "bad_timestamp"
	case age > tolerance:
		return "old_timestamp"
	case age < -tolerance:
		return "future_timestamp"
	}
	return ""
}

// matches compares every signature with every key, whatever was found before,
// so that time tells nothing.
func (p *hmacProof) matches(m *message, given [][]byte, stamp string) bool {
	match := false
	for _, key := range p.keys {
		for _, signed := range p.signs.fill(m, key, stamp) {
			mac := hmac.New(p.hash, key)
			for _, part := range signed {
				mac.Write(part)
			}
			sum := mac.Sum(nil)
			for _, g := range given {
				if hmac.Equal(g, sum) {
					match = true
				}
			}
		}
	}
	return match
}

// decode appends the signature that text holds, if it holds one.
func (p *hmacProof) decode(to [][]byte, text string) [][]byte {
	text, ok := strings.CutPrefix(strings.TrimSpace(text), p.prefix)
	if !ok || len(text) > 256 {
		return to
	}
	var sum []byte
	var err error
	switch p.encoding {
	case "hex":
		sum, err = hex.DecodeString(text)
	case "base64":
		sum, err = base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(text, "="))
	case "base64url":
		sum, err = base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(text, "="))
	}
	if err != nil || len(sum) != p.hash().Size() {
		return to
	}
	return append(to, sum)
}

func (p *hmacProof) encode(sum []byte) string {
	switch p.encoding {
	case "base64":
		return base64.StdEncoding.EncodeToString(sum)
	case "base64url":
		return base64.RawURLEncoding.EncodeToString(sum)
	}
	return hex.EncodeToString(sum)
}

// sign signs with the first secret. Headers that are signed too are set to the
// delivery id where nobody has set them.
func (p *hmacProof) sign(m *message, id string, at time.Time) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	if p.timestamp.Header != "" {
		m.Header.Set(p.timestamp.Header, stamp)
	}
	for _, name := range p.signs.headers() {
		if m.Header.Get(name) == "" {
			m.Header.Set(name, id)
		}
	}
	mac := hmac.New(p.hash, p.keys[0])
	for _, part := range p.signs.fill(m, p.keys[0], stamp)[0] {
		mac.Write(part)
	}
	value := p.prefix + p.encode(mac.Sum(nil))
	if p.part != "" {
		value = p.part + "=" + value
	}
	if p.timestamp.Part != "" {
		value = p.timestamp.Part + "=" + stamp + "," + value
	}
	m.Header.Set(p.header, value)
}

func (*hmacProof) inBody() bool { return false }

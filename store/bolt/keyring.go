package bolt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/crmsyncd/crmsyncd/store"
)

// Records of buckets that hold what vendors sent, people wrote or CRMs answered
// are encrypted where Options.Keys say so, each by itself:
//
//	key (4 bytes of its id), salt (16), counter (8), AES-256-GCM of the payload (16 more)
//
// The key of the cipher comes from the person's key and the salt, which is drawn
// when the ledger is opened; the counter is the nonce. So no nonce is used
// twice, however long a key is in use. The place of a record is authenticated with it: one
// cannot be put where another was.

// Key is a secret that records are encrypted with. The zero Key stands for none.
type Key struct {
	id     keyID
	secret string // empty: none
}

type keyID [4]byte

const (
	leastKey     = 32 // bytes
	leastVariety = 16 // different bytes among them: 32 random ones have 30 or so
	noKey        = "none"
)

var errKeyForm = errors.New("wants 32 random bytes or more in base64, as openssl rand -base64 32 makes them")

// ParseKey reads a key: base64 of 32 random bytes or more, or the word none.
// Words that people make up are refused. Errors do not quote the text.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	if text == noKey {
		return Key{}, nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		raw, err = base64.RawURLEncoding.DecodeString(text)
	}
	different := map[byte]struct{}{}
	for _, b := range raw {
		different[b] = struct{}{}
	}
	if err != nil || len(raw) < leastKey || len(different) < leastVariety {
		return Key{}, errKeyForm
	}
	return Key{keyID(derived(string(raw), nil, "id", len(keyID{}))), string(raw)}, nil
}

// None reports whether k is no key.
func (k Key) None() bool { return k.secret == "" }

func derived(secret string, salt []byte, what string, n int) []byte {
	b, err := hkdf.Key(sha256.New, []byte(secret), salt, "crmsyncd ledger "+what, n)
	if err != nil {
		panic(err) // only for lengths that no hash gives
	}
	return b
}

const (
	saltLen   = 16
	prefixLen = len(keyID{}) + saltLen + 8
	sealedLen = prefixLen + 16 // what encryption adds to a payload, in bytes
)

// ring encrypts with the first of its keys and decrypts with all of them. A nil
// ring has none.
type ring struct {
	keys    map[keyID]Key
	first   Key
	salt    [saltLen]byte
	counter atomic.Uint64
	boxes   sync.Map // cipher.AEAD by key and salt
}

func newRing(keys []Key) *ring {
	if len(keys) == 0 {
		return nil
	}
	r := &ring{keys: map[keyID]Key{}, first: keys[0]}
	for _, k := range keys {
		if !k.None() {
			r.keys[k.id] = k
		}
	}
	_, _ = rand.Read(r.salt[:]) // it never fails
	return r
}

// encrypts reports whether records are encrypted when they are written.
func (r *ring) encrypts() bool { return r != nil && !r.first.None() }

type boxKey struct {
	id   keyID
	salt [saltLen]byte
}

func (r *ring) box(k boxKey) (cipher.AEAD, error) {
	if box, ok := r.boxes.Load(k); ok {
		return box.(cipher.AEAD), nil
	}
	block, err := aes.NewCipher(derived(r.keys[k.id].secret, k.salt[:], "records", 32))
	if err != nil {
		return nil, err
	}
	box, err := cipher.NewGCM(block)
	if err == nil {
		r.boxes.Store(k, box)
	}
	return box, err
}

// seal appends plain, encrypted for a place, to dst.
func (r *ring) seal(dst, plain, place []byte) ([]byte, error) {
	box, err := r.box(boxKey{r.first.id, r.salt})
	if err != nil {
		return nil, err
	}
	var nonce [12]byte
	binary.BigEndian.PutUint64(nonce[4:], r.counter.Add(1))
	dst = append(dst, r.first.id[:]...)
	dst = append(dst, r.salt[:]...)
	dst = append(dst, nonce[4:]...)
	return box.Seal(dst, nonce[:], plain, place), nil
}

var (
	errNoKey    = errors.New("it is encrypted with a key that is not among the keys given")
	errNotReal  = errors.New("it cannot be decrypted: it was changed, or belongs elsewhere")
	errNoLength = errors.New("it is too short to be encrypted")
)

// open decrypts what seal gave for a place.
func (r *ring) open(sealed, place []byte) ([]byte, error) {
	if len(sealed) < sealedLen {
		return nil, errNoLength
	}
	k := boxKey{keyID(sealed), [saltLen]byte(sealed[len(keyID{}):])}
	if r == nil || r.keys[k.id].None() {
		return nil, errNoKey
	}
	box, err := r.box(k)
	if err != nil {
		return nil, err
	}
	var nonce [12]byte
	copy(nonce[4:], sealed[len(keyID{})+saltLen:prefixLen])
	plain, err := box.Open(nil, nonce[:], sealed[prefixLen:], place)
	if err != nil {
		return nil, errNotReal
	}
	return plain, nil
}

// sealed gives a record, but for its sum, whose payload is encrypted.
func (r *ring) sealed(b bucket, key, payload []byte) ([]byte, error) {
	rec := newRecord(len(payload) + sealedLen)
	rec[sealLen-1] = sealedVersion
	return r.seal(rec, payload, placeOf(b, key, nil))
}

// record gives a whole record, encrypted if it is to be.
func (r *ring) record(b bucket, key, payload []byte) (rec []byte, err error) {
	if r.encrypts() && b.private(key) {
		rec, err = r.sealed(b, key, payload)
	} else {
		rec = append(newRecord(len(payload)), payload...)
	}
	if err == nil {
		placed(b, key, rec, payloadSum(rec))
	}
	return rec, err
}

// current reports whether a payload is encrypted with the key that is used now.
func (r *ring) current(sealed []byte) bool {
	return len(sealed) >= sealedLen && keyID(sealed) == r.first.id
}

// placeOf is what is authenticated with a record.
func placeOf(b bucket, key, more []byte) []byte {
	place := make([]byte, 0, 1+len(key)+len(more))
	return append(append(append(place, b.id), key...), more...)
}

// The ids of all keys that records may be encrypted with; written before the
// first of them, in the same commit.
var keysKey = []byte("keys")

func keysRecord(ids []keyID) []byte {
	rec := newRecord(len(ids) * len(keyID{}))
	for _, id := range ids {
		rec = append(rec, id[:]...)
	}
	return rec
}

func (t *txn) readKeys() (ids []keyID, err error) {
	payload, err := t.get(metaBucket, keysKey)
	if err != nil {
		return nil, err
	}
	return keyIDs(payload), nil
}

func keyIDs(payload []byte) (ids []keyID) {
	for ; len(payload) >= len(keyID{}); payload = payload[len(keyID{}):] {
		ids = append(ids, keyID(payload))
	}
	return ids
}

// hasKeys makes sure that all keys are given that the file's records need.
func (t *txn) hasKeys(ids []keyID) error {
	for _, id := range ids {
		r := t.ring()
		if r == nil || len(r.keys) == 0 {
			return fmt.Errorf("%w: give it in privacy.encryption_keys", store.ErrKey)
		}
		if _, there := r.keys[id]; !there {
			return fmt.Errorf("%w: none of privacy.encryption_keys is the one that its records were encrypted with; put that one back, also as a further one", store.ErrKey)
		}
	}
	return nil
}

// unlock makes sure that the file can be read with the keys given.
func (l *Ledger) unlock(t *txn) (err error) {
	if l.keys, err = t.readKeys(); err != nil {
		return fmt.Errorf("%w; use %s", err, mend)
	}
	if err := t.hasKeys(l.keys); err != nil {
		return err
	}
	if t.at.blind, err = t.readBlind(); err != nil {
		return fmt.Errorf("%w; use %s", err, mend)
	}
	return nil
}

// ring gives the keys of the ledger that a transaction belongs to.
func (t *txn) ring() *ring {
	if t.l == nil {
		return nil
	}
	return t.l.ring
}

// noteKey has the file say with what its records are encrypted, within the same
// commit as the first of them.
func (t *txn) noteKey() error {
	first := t.ring().first.id
	if t.keys = t.l.keys; slices.Contains(t.keys, first) {
		return nil
	}
	t.keys = append(slices.Clone(t.keys), first)
	return t.put(metaBucket, keysKey, keysRecord(t.keys))
}

// hide gives an empty file that is to be encrypted its secret for keys.
func (t *txn) hide() error {
	if !t.ring().encrypts() {
		return nil
	}
	_, secret, err := newBlind()
	if err != nil {
		return err
	}
	return errors.Join(t.put(metaBucket, blindKey, append(newRecord(len(secret)), secret...)), t.noteKey())
}

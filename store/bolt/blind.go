package bolt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
)

// Keys of buckets are hashes of phone numbers, e-mail addresses and words that
// calls are found by. Who has the file could hash all phone numbers there are
// and compare. In an encrypted ledger the hashes are therefore enciphered with a
// secret of the file, which is itself kept encrypted. It never changes.
//
// The ids bucket is left as it is: what it hashes are ids of messages and of
// calls and whole bodies, which nobody can go through.
type blind struct{ block cipher.Block }

var blindKey = []byte("blind")

const blindLen = 32

// newBlind draws a secret.
func newBlind() (*blind, []byte, error) {
	secret := make([]byte, blindLen)
	_, _ = rand.Read(secret) // it never fails
	b, err := blindOf(secret)
	return b, secret, err
}

func blindOf(secret []byte) (*blind, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	return &blind{block}, nil
}

// hash enciphers a hash of 16 bytes; a nil blind gives it as it is.
func (b *blind) hash(h []byte) []byte {
	if b == nil {
		return h
	}
	out := make([]byte, aes.BlockSize)
	b.block.Encrypt(out, h)
	return out
}

// call gives what stands for the id of a call in keys.
func (b *blind) call(id string) string {
	if b == nil {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return string(b.hash(sum[:aes.BlockSize]))
}

// blind gives what hides the keys of the file that a transaction reads.
func (t *txn) blind() *blind {
	if t.at == nil {
		return nil
	}
	return t.at.blind
}

func (t *txn) readBlind() (*blind, error) {
	secret, err := t.get(metaBucket, blindKey)
	if err != nil || secret == nil {
		return nil, err
	}
	return blindOf(secret)
}

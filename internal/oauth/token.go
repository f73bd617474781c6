package oauth

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"
)

// token is what the vault holds of one account.
type token struct {
	Access   string    `json:"access"`
	Refresh  string    `json:"refresh"`
	Previous string    `json:"previous,omitempty"` // the refresh token before, if it was another
	Until    time.Time `json:"until,omitzero"`     // not to be used from then on; zero: not known
	Site     string    `json:"site,omitempty"`     // the account's own API address
	Account  string    `json:"account,omitempty"`  // as people know it
}

func (token) String() string   { return "***" }
func (token) GoString() string { return "***" }

func (t token) fresh(now time.Time) bool {
	return t.Access != "" && (t.Until.IsZero() || now.Before(t.Until))
}

// sealVersion is the first byte of what is kept.
const sealVersion = 1

// cipher seals with a key that only who knows the client secret can make: a
// copy of the ledger alone is worth nothing. Connectors of one app have
// different keys, so that what is kept for one opens for no other.
func (s *Source) cipher() (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(s.p.ClientSecret.Reveal()), nil, "crmsyncd oauth tokens 1\x00"+s.p.Connector+"\x00"+s.p.ClientID, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (s *Source) seal(t token) ([]byte, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	aead, err := s.cipher()
	if err != nil {
		return nil, err
	}
	return aead.Seal([]byte{sealVersion}, nil, text, nil), nil
}

var errSealed = errors.New("what is kept cannot be opened")

// open reads what seal gave. The same bytes are opened once.
func (s *Source) open(sealed []byte) (token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sealed != nil && bytes.Equal(s.sealed, sealed) {
		return s.token, nil
	}
	if len(sealed) < 2 || sealed[0] != sealVersion {
		return token{}, errSealed
	}
	aead, err := s.cipher()
	if err != nil {
		return token{}, err
	}
	text, err := aead.Open(nil, nil, sealed[1:], nil)
	if err != nil {
		return token{}, errSealed
	}
	var t token
	if json.Unmarshal(text, &t) != nil {
		return token{}, errSealed
	}
	s.sealed, s.token = bytes.Clone(sealed), t
	return t, nil
}

// kept opens what the vault holds, or says what a person has to do.
func (s *Source) kept(sealed []byte) (token, error) {
	if len(sealed) == 0 {
		return token{}, s.none("NO_CONSENT", "nobody has granted access to "+s.p.Vendor+" yet")
	}
	t, err := s.open(sealed)
	if err != nil {
		return token{}, s.none("OTHER_SECRET", "the tokens kept were made with another client_id or client_secret: put these back, or grant access again")
	}
	return t, nil
}

func (s *Source) load(ctx context.Context) (token, error) {
	if s.p.Vault == nil {
		return token{}, s.none("NO_CONSENT", "there is no ledger with tokens for "+s.p.Vendor)
	}
	sealed, err := s.p.Vault.Load(ctx)
	if err != nil {
		return token{}, s.unkept(err)
	}
	return s.kept(sealed)
}

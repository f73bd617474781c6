package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
)

// The headers of the Standard Webhooks specification (read 2026-11).
const (
	headerID        = "Webhook-Id"
	headerTime      = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// minSecret is the shortest key taken, in bytes; the specification asks for 24
// to 64.
const minSecret = 16

// signer signs with each of its keys: while a secret is being changed the
// receiver may know either. No keys: nothing is signed.
type signer [][]byte

func newSigner(secrets []config.Secret, unsigned bool) (signer, error) {
	switch {
	case unsigned && len(secrets) > 0:
		return nil, errors.New("unsigned: it contradicts signing_secret; take one of them out")
	case !unsigned && len(secrets) == 0:
		return nil, errors.New("signing_secret: it is missing; without one the receiver cannot tell who posts (unsigned: true if that must be)")
	}
	var keys signer
	for i, secret := range secrets {
		key, err := decodeSecret(secret.Reveal())
		if err != nil {
			return nil, fmt.Errorf("signing_secret: number %d: %w", i+1, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// decodeSecret reads a secret as the receivers' libraries do: base64, with or
// without whsec_ in front. Text that is no base64 is the key itself.
func decodeSecret(secret string) ([]byte, error) {
	text, marked := strings.CutPrefix(strings.TrimSpace(secret), "whsec_")
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil && marked {
		key, err = base64.RawStdEncoding.DecodeString(text)
	}
	switch {
	case err != nil && marked:
		return nil, errors.New("what follows whsec_ is not base64")
	case err != nil:
		key = []byte(text)
	}
	if len(key) < minSecret {
		return nil, fmt.Errorf("it is too short: %d bytes, at least %d are needed", len(key), minSecret)
	}
	return key, nil
}

// header gives the headers of one request.
func (s signer) header(id string, at time.Time, body []byte) http.Header {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	h := http.Header{headerID: {id}, headerTime: {timestamp}}
	var signatures []string
	for _, key := range s {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if len(signatures) > 0 {
		h.Set(headerSignature, strings.Join(signatures, " "))
	}
	return h
}

// bodyID identifies what comes from no event.
func bodyID(body []byte) string {
	sum := sha256.Sum256(body)
	return "msg_" + hex.EncodeToString(sum[:16])
}

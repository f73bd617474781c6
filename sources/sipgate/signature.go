package sipgate

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"

	"github.com/crmsyncd/crmsyncd/sources"
)

// signatureHeader carries base64 of the RSA-SHA256 signature (PKCS #1 v1.5)
// over the body of what the push API posts. It covers neither time nor address.
const signatureHeader = "X-Sipgate-Signature"

// publicKey is sipgate's, as its library for Node has it (sipgateio 2.15.1,
// read 2026-11).
const publicKey = `-----BEGIN PUBLIC KEY-----
MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAvFdlnqRfO5TmqzjtsFVC
qPz+oW+poi3lXQFvMJJMEAtlU4MbX+yuIkgnC+Qt3AQWIK+oWSEQiybg+p39wEMl
16PZxEzf9gONQvTg1XhyHnwqYUFQj/AoxPKGYC3jmdjZ224SrESiTN3CdxoOc3vk
cXiQstYE7SxnksPtzfk0aIOkicim5/tAP9izNQ18/zmX3ChjK2k72gf5dDlq+qZ8
pRiHAPZ64TySH6cLQDhaoh6Nbq8FEG3usXXPClbUMh2DZaTMPafpd+LNuTngJ/y+
KoZasVuFfXAeBqGA6l5d4Uedfr99Z6qjwDrJ8sU4z2Do9bJrbuqP+mOXEebhSI1K
vi8trEfrIt8hnDBGsBaB9NEO3kYxvDT2/PhC9fNYFocjEpZNd7/mUqTJDYlpa4UC
NDQaU+ATdXG8/P5sGAegks6MQTu+qe9XTO0CV48eswDkz6g3UbLOwmrJK59SjD3J
yAZ52sluwyDKRWw/PPTt8BTQLjvkdbiLUlc4ehJ4b1X7D7diYWHDPeFL47cAvaXh
dXVrZDeBJYibvD1jRx4ES0KlfhwzNXBYUoM/Movg9zMM2PzyHHKS//xIjwUC/FJ6
/6eykno0Hy2B1ev6s3hdY6VkN2zd7Wf+EK4DxRliwsg1U99szFE3ewLfexF+Uag5
M+TfPtOUumI/NHMTvsRW9+ECAwEAAQ==
-----END PUBLIC KEY-----`

func readKey(text string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(strings.TrimSpace(text)))
	if block == nil {
		return nil, errors.New("push_public_key: it is no PEM text (-----BEGIN PUBLIC KEY-----)")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if rsaKey, ok := key.(*rsa.PublicKey); err == nil && ok && rsaKey.Size() >= 256 {
		return rsaKey, nil
	}
	return nil, errors.New("push_public_key: it is no RSA public key of 2048 bits or more")
}

// Authenticate checks the signature of the push API as push_signature says.
// The AI products sign nothing.
func (s *Source) Authenticate(r *sources.Request) error {
	values := r.Header[signatureHeader]
	switch {
	case s.signature == "ignore":
		return nil
	case s.signature == "optional" && (len(values) == 0 || !isForm(r)):
		return nil
	case len(values) == 0:
		return sources.Unauthentic("no_signature")
	case len(values) > 1:
		return sources.Unauthentic("repeated_header")
	}
	signature, err := base64.StdEncoding.DecodeString(strings.TrimSpace(values[0]))
	sum := sha256.Sum256(r.Body)
	if err != nil || rsa.VerifyPKCS1v15(s.key, crypto.SHA256, sum[:], signature) != nil {
		return sources.Unauthentic("bad_signature")
	}
	return nil
}

package sipgate_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/sipgate"
	"github.com/crmsyncd/crmsyncd/sources/sourcetest"
)

// testKey is a pair of keys in place of sipgate's.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func publicPEM(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&testKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// signing is a source together with what sipgate alone has.
type signing struct{ *sipgate.Source }

func (signing) Sign(r *sources.Request, _ string, _ time.Time) error {
	sum := sha256.Sum256(r.Body)
	signature, err := rsa.SignPKCS1v15(nil, testKey(), crypto.SHA256, sum[:])
	r.Header.Set("X-Sipgate-Signature", base64.StdEncoding.EncodeToString(signature))
	return err
}

// TestRequiredSignature/is a source like any other that signs.
func TestRequiredSignature(t *testing.T) {
	t.Parallel()
	s := source(t, sipgate.Config{PushSignature: "required", PushPublicKey: publicPEM(t)})
	sourcetest.Run(t, sourcetest.Fixture{Source: signing{s}, Samples: "testdata/signed", At: at, ChangedBody: true})
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	const form, other = "event=newCall&callId=7", "event=newCall&callId=8"
	const delivery = `{"call":{"id":"c1"}}`
	signed := func(body string) string {
		r := request(formType, body)
		if err := (signing{}).Sign(r, "", at); err != nil {
			t.Fatal(err)
		}
		return r.Header.Get("X-Sipgate-Signature")
	}
	for _, c := range []struct {
		name        string
		mode        string
		contentType string
		body        string
		signatures  []string
		want        string
	}{
		{"optional: a form without signature", "", formType, form, nil, ""},
		{"optional: a form with its signature", "", formType, form, []string{signed(form)}, ""},
		{"optional: a form with another's signature", "optional", formType, form, []string{signed(other)}, "401 bad_signature"},
		{"optional: a form with an empty signature", "", formType, form, []string{""}, "401 bad_signature"},
		{"optional: a form with what is no base64", "", formType, form, []string{"%"}, "401 bad_signature"},
		{"optional: a form with two signatures", "", formType, form, []string{signed(form), signed(form)}, "401 repeated_header"},
		{"optional: a delivery", "", jsonType, delivery, nil, ""},
		{"optional: a delivery with a header that means nothing there", "", jsonType, delivery, []string{"x"}, ""},
		{"required: a form with its signature", "required", formType, form, []string{signed(form)}, ""},
		{"required: a form without signature", "required", formType, form, nil, "401 no_signature"},
		{"required: a form with another's signature", "required", formType, form, []string{signed(other)}, "401 bad_signature"},
		{"required: a delivery", "required", jsonType, delivery, nil, "401 no_signature"},
		{"required: a form called JSON", "required", jsonType, form, nil, "401 no_signature"},
		{"ignore: a form with another's signature", "ignore", formType, form, []string{signed(other)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := source(t, sipgate.Config{PushSignature: c.mode, PushPublicKey: publicPEM(t)})
			r := request(c.contentType, c.body)
			if c.signatures != nil {
				r.Header[http.CanonicalHeaderKey("X-Sipgate-Signature")] = c.signatures
			}
			got := ""
			if err := s.Authenticate(r); err != nil {
				got = "401 " + err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	t.Run("sipgate's own key does not take another's signature", func(t *testing.T) {
		t.Parallel()
		r := request(formType, form)
		r.Header.Set("X-Sipgate-Signature", signed(form))
		if err := source(t, sipgate.Config{}).Authenticate(r); err == nil {
			t.Error("it was taken")
		}
	})
}

package webhook

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/sources"
)

// TestSignatures are checked by the verifier that crmsyncd has for its own
// senders.
func TestSignaturesAreThoseOfStandardWebhooks(t *testing.T) {
	t.Parallel()
	first, second := base64.StdEncoding.EncodeToString([]byte("twenty-four bytes of key")), base64.StdEncoding.EncodeToString([]byte("another twenty-four byte"))
	at := time.Unix(1_795_167_012, 0)
	body := []byte(`{"a":"ü"}`)
	s, err := newSigner([]config.Secret{config.Secret("whsec_" + first), config.Secret(second)}, false)
	if err != nil {
		t.Fatal(err)
	}
	h := s.header("evt_1_ab", at, body)
	for _, secret := range []string{first, "whsec_" + second} {
		v, err := sources.NewStandardWebhooks([]string{secret})
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Verify(h, body, at); err != nil {
			t.Errorf("the receiver that knows one of the two secrets says %v", err)
		}
		if v.Verify(h, append(body, ' '), at) == nil {
			t.Error("another body has the same signature")
		}
	}
	other, _ := sources.NewStandardWebhooks([]string{base64.StdEncoding.EncodeToString([]byte("a third twenty-four byte"))})
	if other.Verify(h, body, at) == nil {
		t.Error("a third secret fits")
	}
}

// TestKnownSignature is the example of the specification's libraries.
func TestKnownSignature(t *testing.T) {
	t.Parallel()
	s, err := newSigner([]config.Secret{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, false)
	if err != nil {
		t.Fatal(err)
	}
	got := s.header("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`)).Get(headerSignature)
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSecretsAreReadAsLibrariesDo(t *testing.T) {
	t.Parallel()
	for secret, want := range map[string]string{
		"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz": "012345678901234567890123",
		"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz":       "012345678901234567890123",
		"whsec_MDEyMzQ1Njc4OTAxMjM0NQ":           "0123456789012345",
		"a plain secret, no base64":              "a plain secret, no base64",
	} {
		got, err := decodeSecret(" " + secret + "\n")
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", secret, got, err, want)
		}
	}
	if _, err := decodeSecret(strings.Repeat("a", 12)); err == nil {
		t.Error("a short secret was taken")
	}
}

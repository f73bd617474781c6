package webhook

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/sources"
)

// The keys of these vectors are shorter than settings may have them, or no text.

func TestTokenVectorOfRFC7515(t *testing.T) {
	t.Parallel()
	key, err := base64.RawURLEncoding.DecodeString("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
	if err != nil {
		t.Fatal(err)
	}
	body := []byte("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
	p := &jwtProof{keys: [][]byte{key}}
	for _, c := range []struct {
		at   int64
		want string
	}{{1300819379, ""}, {1300819380 + 61, "old_timestamp"}} {
		if got := p.verify(&message{Request: &sources.Request{Body: body, At: time.Unix(c.at, 0)}}); got != c.want {
			t.Errorf("at %d: got %q, want %q", c.at, got, c.want)
		}
	}
}

// TestSignatureVectorOfPlacetel is of the vendor's README.
func TestSignatureVectorOfPlacetel(t *testing.T) {
	t.Parallel()
	p := &hmacProof{header: "X-Placetel-Signature", encoding: "hex", hash: sha256.New, signs: template{{name: "body"}}, keys: [][]byte{[]byte("12345")}}
	r := &sources.Request{
		Header: http.Header{"X-Placetel-Signature": {"c4f823c5b8806432fe2b83b1fc2ee714422e0cdfb4b5129152a7d0bbcd7792d0"}},
		Body:   []byte("call_id=4a4cbb39578170aed9a2761a7bec8c7e704a541f52291ef603d6f5f152980c3c&event=CallAccepted&from=0123456789&to=0987654321"),
	}
	if got := p.verify(&message{Request: r}); got != "" {
		t.Errorf("refused: %s", got)
	}
}

// TestSignatureVectorOfTwilio is of Twilio's page on the security of webhooks.
func TestSignatureVectorOfTwilio(t *testing.T) {
	t.Parallel()
	p := &hmacProof{header: "X-Twilio-Signature", encoding: "base64", hash: sha1.New, signs: template{{name: "url"}, {name: "fields"}}, keys: [][]byte{[]byte("12345")}}
	r := &sources.Request{
		URL:    &url.URL{Scheme: "https", Host: "mycompany.com", Path: "/myapp.php", RawQuery: "foo=1&bar=2"},
		Header: http.Header{"X-Twilio-Signature": {"RSOYDt4T1cUTdK1PDd93/VVr8B8="}},
		Body:   []byte("Digits=1234&To=%2B18005551212&From=%2B14158675309&Caller=%2B14158675309&CallSid=CA1234567890ABCDE"),
	}
	if got := p.verify(&message{Request: r, form: true}); got != "" {
		t.Errorf("refused: %s; signed is %q", got, p.signs.fill(&message{Request: r, form: true}, nil, "")[0])
	}
}

package webhook_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/sources"
)

func sum256(key, text string) []byte {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(text))
	return m.Sum(nil)
}

func hex256(key, text string) string { return hex.EncodeToString(sum256(key, text)) }

func token(key, header, claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	signed := enc([]byte(header)) + "." + enc([]byte(claims))
	return signed + "." + enc(sum256(key, signed))
}

// verdict is the reason of a refusal; "" if the request is accepted.
func verdict(t testing.TB, s sources.Source, r *sources.Request) string {
	t.Helper()
	err := s.Authenticate(r)
	if err == nil {
		return ""
	}
	refusal, ok := err.(*sources.Refusal)
	if !ok || refusal.Status != http.StatusUnauthorized {
		t.Fatalf("got %#v, want a refusal with 401", err)
	}
	return refusal.Reason
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	const (
		old   = "jihgfedcba9876543210"
		body  = `{"event":"call.ended","id":"1","token":"` + secret + `"}`
		plain = "event: =raw.event\nsecret: [" + secret + ", " + old + "]\nauth:\n"
		stamp = "1773144000" // at
	)
	timed := plain + "  - hmac: {header: X-Sig, part: v1, timestamp: {part: t}, signs: \"{timestamp}.{body}\"}\n"
	timeHeader := plain + "  - hmac: {header: X-Sig, timestamp: {header: X-Time}, signs: \"{timestamp}:{body}\", prefix: \"sha256=\"}\n"
	jwt := plain + "  - jwt:\n"
	hs := `{"alg":"HS256","typ":"JWT"}`
	header := func(pairs ...string) func(*sources.Request) {
		return func(r *sources.Request) {
			for i := 0; i < len(pairs); i += 2 {
				r.Header.Add(pairs[i], pairs[i+1])
			}
		}
	}
	withBody := func(b string) func(*sources.Request) { return func(r *sources.Request) { r.Body = []byte(b) } }
	for _, c := range []struct {
		name     string
		settings string
		prepare  func(*sources.Request)
		want     string
	}{
		{"hex of the body", plain + "  - hmac: {header: x-sig}\n", header("X-Sig", hex256(secret, body)), ""},
		{"hex in capitals", plain + "  - hmac: {header: X-Sig}\n", header("X-Sig", strings.ToUpper(hex256(secret, body))), ""},
		{"the second secret while rotating", plain + "  - hmac: {header: X-Sig}\n", header("X-Sig", hex256(old, body)), ""},
		{"another secret", plain + "  - hmac: {header: X-Sig}\n", header("X-Sig", hex256("another-secret-altogether", body)), "bad_signature"},
		{"another body", plain + "  - hmac: {header: X-Sig}\n", header("X-Sig", hex256(secret, body+" ")), "bad_signature"},
		{"no header", plain + "  - hmac: {header: X-Sig}\n", header(), "no_signature"},
		{"an empty signature", plain + "  - hmac: {header: X-Sig}\n", header("X-Sig", ""), "bad_signature"},
		{"a signature cut short", plain + "  - hmac: {header: X-Sig}\n", header("X-Sig", hex256(secret, body)[:32]), "bad_signature"},
		{"the header twice", plain + "  - hmac: {header: X-Sig}\n", header("X-Sig", hex256(secret, body), "X-Sig", "x"), "repeated_header"},
		{"a prefix that is missing", plain + "  - hmac: {header: X-Sig, prefix: \"sha256=\"}\n", header("X-Sig", hex256(secret, body)), "bad_signature"},
		{"a prefix", plain + "  - hmac: {header: X-Sig, prefix: \"sha256=\"}\n", header("X-Sig", "sha256="+hex256(secret, body)), ""},
		{"base64", plain + "  - hmac: {header: X-Sig, encoding: base64}\n", header("X-Sig", base64.StdEncoding.EncodeToString(sum256(secret, body))), ""},
		{"base64 without padding", plain + "  - hmac: {header: X-Sig, encoding: base64}\n", header("X-Sig", base64.RawStdEncoding.EncodeToString(sum256(secret, body))), ""},
		{"base64url", plain + "  - hmac: {header: X-Sig, encoding: base64url}\n", header("X-Sig", base64.RawURLEncoding.EncodeToString(sum256(secret, body))), ""},
		{"a secret in base64", "event: x\nauth:\n  - hmac: {header: X-Sig, decode: base64, secret: " + base64.StdEncoding.EncodeToString([]byte(secret)) + "}\n", header("X-Sig", hex256(secret, body)), ""},
		{"other headers signed too", plain + "  - hmac: {header: X-Sig, signs: \"{header.X-Id}.{body}\"}\n", header("X-Id", "m1", "X-Sig", hex256(secret, "m1."+body)), ""},
		{"another id than the signed one", plain + "  - hmac: {header: X-Sig, signs: \"{header.X-Id}.{body}\"}\n", header("X-Id", "m2", "X-Sig", hex256(secret, "m1."+body)), "bad_signature"},
		{"the address", plain + "  - hmac: {header: X-Sig, signs: \"{url}|{body}\"}\n", header("X-Sig", hex256(secret, "https://hooks.example.com/hooks/pbx|"+body)), ""},
		{"the address with its port", plain + "  - hmac: {header: X-Sig, signs: \"{url}|{body}\"}\n", header("X-Sig", hex256(secret, "https://hooks.example.com:443/hooks/pbx|"+body)), ""},
		{"re-targeted", plain + "  - hmac: {header: X-Sig, signs: \"{url}|{body}\"}\n", header("X-Sig", hex256(secret, "https://hooks.example.com/hooks/other|"+body)), "bad_signature"},

		{"time as a part", timed, header("X-Sig", "t="+stamp+",v1="+hex256(secret, stamp+"."+body)), ""},
		{"one of two parts fits", timed, header("X-Sig", "t="+stamp+",v1="+hex256("another-secret-altogether", stamp+"."+body)+", v1="+hex256(secret, stamp+"."+body)), ""},
		{"a part of another name", timed, header("X-Sig", "t="+stamp+",v0="+hex256(secret, stamp+"."+body)), "bad_signature"},
		{"another time than the signed one", timed, header("X-Sig", "t=1773144001,v1="+hex256(secret, stamp+"."+body)), "bad_signature"},
		{"two times", timed, header("X-Sig", "t="+stamp+",t=1,v1="+hex256(secret, stamp+"."+body)), "repeated_timestamp"},
		{"no time", timed, header("X-Sig", "v1="+hex256(secret, "."+body)), "bad_timestamp"},
		{"replayed after 6 minutes", timed, header("X-Sig", "t=1773143640,v1="+hex256(secret, "1773143640."+body)), "old_timestamp"},
		{"6 minutes ahead", timed, header("X-Sig", "t=1773144360,v1="+hex256(secret, "1773144360."+body)), "future_timestamp"},
		{"milliseconds", timed, header("X-Sig", "t="+stamp+"000,v1="+hex256(secret, stamp+"000."+body)), ""},
		{"time in a header", timeHeader, header("X-Time", "2026-03-10T12:00:00Z", "X-Sig", "sha256="+hex256(secret, "2026-03-10T12:00:00Z:"+body)), ""},
		{"the time's header is missing", timeHeader, header("X-Sig", "sha256="+hex256(secret, ":"+body)), "bad_timestamp"},

		{"a token", jwt, withBody(token(secret, hs, `{"a":1}`)), ""},
		{"a token by the second secret", jwt, withBody(token(old, hs, `{"a":1}`)), ""},
		{"a token by another secret", jwt, withBody(token("another-secret-altogether", hs, `{"a":1}`)), "bad_signature"},
		{"alg none", jwt, withBody("eyJhbGciOiJub25lIn0.eyJhIjoxfQ."), "bad_algorithm"},
		{"alg NONE signed", jwt, withBody(token(secret, `{"alg":"NONE"}`, `{"a":1}`)), "bad_algorithm"},
		{"alg RS256 signed with HS256", jwt, withBody(token(secret, `{"alg":"RS256"}`, `{"a":1}`)), "bad_algorithm"},
		{"two algs", jwt, withBody(token(secret, `{"alg":"none","alg":"HS256"}`, `{"a":1}`)), "bad_algorithm"},
		{"a critical extension", jwt, withBody(token(secret, `{"alg":"HS256","crit":["x"]}`, `{"a":1}`)), "bad_algorithm"},
		{"expired", jwt, withBody(token(secret, hs, `{"exp":1773143900}`)), "old_timestamp"},
		{"expired within the leeway", jwt, withBody(token(secret, hs, `{"exp":1773143990}`)), ""},
		{"not valid yet", jwt, withBody(token(secret, hs, `{"nbf":1773144100}`)), "future_timestamp"},
		{"an exp that is no time", jwt, withBody(token(secret, hs, `{"exp":"soon"}`)), "old_timestamp"},
		{"no iat where one is needed", plain + "  - jwt: {tolerance: 5m}\n", withBody(token(secret, hs, `{}`)), "bad_timestamp"},
		{"an old iat", plain + "  - jwt: {tolerance: 5m}\n", withBody(token(secret, hs, `{"iat":1773143000}`)), "old_timestamp"},
		{"plain JSON where a token is due", jwt, func(*sources.Request) {}, "no_signature"},
		{"a token with other claims", jwt, func(r *sources.Request) {
			parts := strings.Split(token(secret, hs, `{"a":1}`), ".")
			r.Body = []byte(parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"a":2}`)) + "." + parts[2])
		}, "bad_signature"},

		{"a header", plain + "  - header: {name: X-Key}\n", header("X-Key", secret), ""},
		{"a bearer token", plain + "  - header: {name: [X-Key, Authorization]}\n", header("Authorization", "Bearer "+secret), ""},
		{"a wrong header", plain + "  - header: {name: X-Key}\n", header("X-Key", secret+"x"), "wrong_secret"},
		{"no such header", plain + "  - header: {name: X-Key}\n", header(), "no_secret"},
		{"a field", plain + "  - field: {path: raw.token}\n", header(), ""},
		{"a wrong field", plain + "  - field: {path: raw.token}\n", withBody(`{"token":"wrong"}`), "wrong_secret"},
		{"no such field", plain + "  - field: {path: raw.data.token}\n", header(), "no_secret"},
		{"a field of a body that is broken", plain + "  - field: {path: raw.token}\n", withBody(body[:50]), "no_secret"},

		{"two proofs", plain + "  - header: {name: X-Key, secret: " + old + "}\n  - hmac: {header: X-Sig}\n", header("X-Key", old, "X-Sig", hex256(secret, body)), ""},
		{"the first of two is wrong", plain + "  - header: {name: X-Key, secret: " + old + "}\n  - hmac: {header: X-Sig}\n", header("X-Key", secret, "X-Sig", hex256(secret, body)), "wrong_secret"},
		{"the second of two is missing", plain + "  - header: {name: X-Key, secret: " + old + "}\n  - hmac: {header: X-Sig}\n", header("X-Key", old), "no_signature"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := request("application/json", body)
			c.prepare(r)
			if got := verdict(t, source(t, c.settings), r); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestAFormIsOneWebhookHoweverItIsSpelled/where the signature fits every spelling
// of its fields: who holds one request must not make several of it.
func TestAFormIsOneWebhookHoweverItIsSpelled(t *testing.T) {
	t.Parallel()
	s := source(t, "preset: twilio\nsecret: \"12345678\"\n")
	const form = "CallSid=CA1&CallStatus=completed&From=%2B493023125017&SequenceNumber=3&Timestamp=Wed%2C+04+Mar+2026+09%3A32%3A12+%2B0000"
	first := request(sources.FormType, form)
	if err := s.Sign(first, "token-1", first.At); err != nil {
		t.Fatal(err)
	}
	want := s.Parse(first)
	for _, body := range []string{
		form,
		"CallStatus=completed&CallSid=CA1&From=%2B493023125017&SequenceNumber=3&Timestamp=Wed%2C+04+Mar+2026+09%3A32%3A12+%2B0000",
		strings.Replace(form, "CallSid=CA1", "CallSid=CA1&CallSid=CA1", 1), // once more is another id
		strings.Replace(form, "3&Timestamp=", "3Timestamp", 1),             // without a time it happened now
		strings.Replace(form, "CallStatus=completed", "CallStatuscompleted=", 1),
	} {
		r := request(sources.FormType, body)
		r.Header = first.Header.Clone()
		r.Header.Set("I-Twilio-Idempotency-Token", "token-2")
		if got := verdict(t, s, r); got != "" {
			t.Fatalf("%s: refused: %s", body, got)
		}
		if got := s.Parse(r); got.DeliveryID != want.DeliveryID || string(got.Sense) != string(want.Sense) || got.Sense == nil {
			t.Errorf("%s is another webhook: %q, %q", body, got.DeliveryID, got.Sense)
		}
	}
	other := request(sources.FormType, strings.Replace(form, "SequenceNumber=3", "SequenceNumber=4", 1))
	other.Header = first.Header
	if got := s.Parse(other); got.DeliveryID == want.DeliveryID {
		t.Error("another webhook has the same delivery id")
	}
}

// TestPublishedVectors/… holds proofs against what vendors and standards publish.
func TestPublishedVectors(t *testing.T) {
	t.Parallel()
	// What Twilio's example covers; vectors_test.go has its signature.
	twilio := source(t, "preset: twilio\nsecret: \"12345678\"\n")
	form := "CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234&From=%2B12349013030&To=%2B18005551212"
	r := request(sources.FormType, form)
	r.URL.Host, r.URL.Path, r.URL.RawQuery = "mycompany.com", "/myapp.php", "foo=1&bar=2"
	const covered = "https://mycompany.com/myapp.php?foo=1&bar=2CallSidCA1234567890ABCDECaller+12349013030Digits1234From+12349013030To+18005551212"
	m := hmac.New(sha1.New, []byte("12345678"))
	m.Write([]byte(covered))
	r.Header.Set("X-Twilio-Signature", base64.StdEncoding.EncodeToString(m.Sum(nil)))
	if got := verdict(t, twilio, r); got != "" {
		t.Errorf("Twilio's example: refused: %s", got)
	}
	r.URL.RawQuery = "foo=1&bar=3"
	if got := verdict(t, twilio, r); got != "bad_signature" {
		t.Errorf("another query: got %q, want bad_signature", got)
	}

	// The Standard Webhooks vector is years old, so that only its time is wrong.
	standard := source(t, "event: x\nauth:\n  - standard_webhooks: {secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}\n")
	r = request("application/json", `{"test": 2432232314}`)
	r.Header.Set("Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	r.Header.Set("Webhook-Timestamp", "1614265330")
	r.Header.Set("Webhook-Signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	if got := verdict(t, standard, r); got != "old_timestamp" {
		t.Errorf("got %q, want old_timestamp", got)
	}
	r.At = time.Unix(1614265330, 0)
	if got := verdict(t, standard, r); got != "" {
		t.Errorf("at its time: refused: %s", got)
	}
	if id := standard.Parse(r).DeliveryID; id != "msg_p5jXN8AQM9LWM0D4loKWxJek" {
		t.Errorf("delivery id %q", id)
	}
}

func TestJustCallCoversTheAddressAndTheTypeButNotTheBody(t *testing.T) {
	t.Parallel()
	s := presetSource(t, "justcall")
	r := request("application/json", read(t, "testdata/justcall/call_completed.json"))
	r.Header.Set("X-JustCall-Request-Timestamp", "2026-03-10 11:59:00")
	r.Header.Set("X-JustCall-Signature", hex256(secret, secret+"|https%3A%2F%2Fhooks.example.com%2Fhooks%2Fpbx|call.completed|2026-03-10 11:59:00"))
	if got := verdict(t, s, r); got != "" {
		t.Fatalf("refused: %s", got)
	}
	body := string(r.Body)
	for _, c := range []struct{ name, body, path, want string }{
		{"another text", strings.Replace(body, "ruft zurück", "was anderes", 1), "/hooks/pbx", ""},
		{"another type", strings.Replace(body, "call.completed", "call.incoming", 1), "/hooks/pbx", "bad_signature"},
		{"another address", body, "/hooks/other", "bad_signature"},
	} {
		r.Body, r.URL.Path = []byte(c.body), c.path
		if got := verdict(t, s, r); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestPresetsWithSignedTimesRefuseOldRequests(t *testing.T) {
	t.Parallel()
	for name, tolerance := range map[string]time.Duration{"retell": 5 * time.Minute, "elevenlabs": 30 * time.Minute, "justcall": time.Hour} {
		s := presetSource(t, name)
		for _, c := range []struct {
			skew time.Duration
			want string
		}{{tolerance - time.Second, ""}, {tolerance + time.Second, "old_timestamp"}, {-tolerance - time.Second, "future_timestamp"}} {
			r := request("application/json", `{"type":"call.completed"}`)
			if err := s.Sign(r, "m1", at); err != nil {
				t.Fatal(err)
			}
			r.At = at.Add(c.skew)
			if got := verdict(t, s, r); got != c.want {
				t.Errorf("%s after %v: got %q, want %q", name, c.skew, got, c.want)
			}
		}
	}
}

func TestNoProofIsToldToTheApp(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]bool{
		"event: =raw.event":                  true,
		"preset: dialpad\nauth: []":          true,
		"preset: dialpad\nsecret: " + secret: false,
		"event: =raw.event\nauth: [{header: {name: X-Key, secret: " + secret + "}}]": false,
	} {
		if got, _ := source(t, settings).Unsigned(); got != want {
			t.Errorf("%q: Unsigned() = %v, want %v", settings, got, want)
		}
	}
}

func TestTakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		settings, mediaType string
		want                bool
	}{
		{"event: x", sources.FormType, true},
		{"event: x", "text/plain", false},
		{"event: x\nbody: json", "text/plain", true},
		{"event: x\nbody: form", "multipart/form-data", false},
		{"preset: dialpad\nsecret: " + secret, "application/jwt", true},
	} {
		if got := source(t, c.settings).Takes(c.mediaType); got != c.want {
			t.Errorf("%q takes %s: %v, want %v", c.settings, c.mediaType, got, c.want)
		}
	}
}

func TestWhatIsSignedWithAllProofsIsAccepted(t *testing.T) {
	t.Parallel()
	s := source(t, fmt.Sprintf(`
event: =raw.event
secret: %s
auth:
  - hmac: {header: X-Sig, algorithm: sha512, encoding: base64url, part: s, timestamp: {part: t}, signs: "{header.X-Id}|{timestamp}|{url_encoded}|{raw.data.type}|{body}"}
  - header: {name: [Authorization]}
  - standard_webhooks: {secret: whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}
  - field: {path: raw.auth.token}
`, secret))
	r := request("application/json", `{"event":"call.ended","data":{"type":"x"},"auth":{"other":1}}`)
	if err := s.Sign(r, "m1", at); err != nil {
		t.Fatal(err)
	}
	if got := verdict(t, s, r); got != "" {
		t.Errorf("refused: %s", got)
	}
	for _, name := range []string{"X-Sig", "Authorization", "Svix-Signature", "X-Id"} {
		broken := *r
		broken.Header = r.Header.Clone()
		broken.Header.Del(name)
		if verdict(t, s, &broken) == "" {
			t.Errorf("accepted without %s", name)
		}
	}
}

package sources

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

type vector struct {
	Name, Secret, ID, Timestamp, Signature, Body string
}

func (v vector) at() time.Time {
	n, _ := strconv.ParseInt(v.Timestamp, 10, 64)
	return time.Unix(n, 0)
}

func (v vector) header(prefix string) http.Header {
	h := http.Header{}
	h.Set(prefix+"-Id", v.ID)
	h.Set(prefix+"-Timestamp", v.Timestamp)
	h.Set(prefix+"-Signature", v.Signature)
	return h
}

func vectors(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/standard_webhooks.json")
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	if err := json.Unmarshal(text, &vs); err != nil || len(vs) < 3 {
		t.Fatalf("%d vectors, %v", len(vs), err)
	}
	return vs
}

func verifier(t testing.TB, secrets ...string) *StandardWebhooks {
	t.Helper()
	s, err := NewStandardWebhooks(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func reason(err error) string {
	var r *Refusal
	if errors.As(err, &r) {
		return fmt.Sprint(r.Status, " ", r.Reason)
	}
	if err != nil {
		return "not a refusal: " + err.Error()
	}
	return ""
}

func TestStandardWebhooksVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		for _, prefix := range []string{"Svix", "Webhook"} {
			if got := reason(verifier(t, v.Secret).Verify(v.header(prefix), []byte(v.Body), v.at())); got != "" {
				t.Errorf("%s with %s-Id: refused: %s", v.Name, prefix, got)
			}
		}
		if got := reason(verifier(t, v.Secret).Verify(v.header("Svix"), []byte(v.Body), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))); got != "401 old_timestamp" {
			t.Errorf("%s years later: %q", v.Name, got)
		}
		h := http.Header{}
		verifier(t, v.Secret).Sign(h, v.ID, v.at(), []byte(v.Body))
		if got := h.Get("Svix-Signature"); got != v.Signature {
			t.Errorf("%s: signed %s, want %s", v.Name, got, v.Signature)
		}
	}
}

func TestStandardWebhooksVerify(t *testing.T) {
	t.Parallel()
	v := vectors(t)[2]
	const wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
	set := func(name string, values ...string) func(http.Header) {
		return func(h http.Header) { h[http.CanonicalHeaderKey(name)] = values }
	}
	for _, c := range []struct {
		name   string
		change func(http.Header)
		after  time.Duration
		want   string
	}{
		{name: "nothing changed"},
		{name: "5 minutes old", after: 5 * time.Minute},
		{name: "5 minutes and a second old", after: 5*time.Minute + time.Second, want: "401 old_timestamp"},
		{name: "5 minutes ahead", after: -5 * time.Minute},
		{name: "5 minutes and a second ahead", after: -5*time.Minute - time.Second, want: "401 future_timestamp"},
		{name: "no header", change: func(h http.Header) { clear(h) }, want: "401 no_signature"},
		{name: "no id", change: set("svix-id"), want: "401 incomplete_signature"},
		{name: "no time", change: set("svix-timestamp"), want: "401 incomplete_signature"},
		{name: "no signature", change: set("svix-signature"), want: "401 no_signature"},
		{name: "an empty id", change: set("svix-id", ""), want: "401 bad_message_id"},
		{name: "two ids", change: set("svix-id", v.ID, v.ID), want: "401 repeated_header"},
		{name: "two times", change: set("svix-timestamp", v.Timestamp, v.Timestamp), want: "401 repeated_header"},
		{name: "two signature headers", change: set("svix-signature", v.Signature, wrong), want: "401 repeated_header"},
		{name: "a wrong signature", change: set("svix-signature", wrong), want: "401 bad_signature"},
		{name: "an empty signature", change: set("svix-signature", "v1,"), want: "401 bad_signature"},
		{name: "a cut signature", change: set("svix-signature", v.Signature[:20]), want: "401 bad_signature"},
		{name: "no tag", change: set("svix-signature", v.Signature[3:]), want: "401 bad_signature"},
		{name: "another tag", change: set("svix-signature", "v1a"+v.Signature[2:]), want: "401 bad_signature"},
		{name: "upper case", change: set("svix-signature", strings.ToUpper(v.Signature)), want: "401 bad_signature"},
		{name: "a right one among wrong and unknown ones", change: set("svix-signature", "v2,abc "+wrong+" v1a,x "+v.Signature+" v1,")},
		{name: "another id", change: set("svix-id", "msg_other"), want: "401 bad_signature"},
		{name: "another time", change: set("svix-timestamp", "1614265331"), want: "401 bad_signature"},
		{name: "a time with exponent", change: set("svix-timestamp", "1e9"), want: "401 bad_timestamp"},
		{name: "a negative time", change: set("svix-timestamp", "-1614265330"), want: "401 bad_timestamp"},
		{name: "a time with sign", change: set("svix-timestamp", "+1614265330"), want: "401 bad_timestamp"},
		{name: "a time in milliseconds", change: set("svix-timestamp", "1614265330000"), want: "401 bad_timestamp"},
		{name: "a whole second family beside a broken first", change: func(h http.Header) {
			h.Del("svix-signature")
			h.Set("webhook-id", v.ID)
			h.Set("webhook-timestamp", v.Timestamp)
			h.Set("webhook-signature", v.Signature)
		}},
		{name: "families mixed", change: func(h http.Header) {
			h.Del("svix-signature")
			h.Set("webhook-signature", v.Signature)
		}, want: "401 no_signature"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := v.header("Svix")
			if c.change != nil {
				c.change(h)
			}
			if got := reason(verifier(t, v.Secret).Verify(h, []byte(v.Body), v.at().Add(c.after))); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	t.Run("another body", func(t *testing.T) {
		t.Parallel()
		if got := reason(verifier(t, v.Secret).Verify(v.header("Svix"), []byte(v.Body+" "), v.at())); got != "401 bad_signature" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("the second of two secrets", func(t *testing.T) {
		t.Parallel()
		if got := reason(verifier(t, vectors(t)[0].Secret, v.Secret).Verify(v.header("Svix"), []byte(v.Body), v.at())); got != "" {
			t.Errorf("refused: %q", got)
		}
	})
}

func TestStandardWebhooksSecrets(t *testing.T) {
	t.Parallel()
	bare := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef"))
	for _, c := range []struct {
		name    string
		secrets []string
		want    string
	}{
		{"with prefix", []string{"whsec_" + bare}, ""},
		{"without prefix, padding or care for blanks", []string{" " + strings.TrimRight(bare, "=") + "\n"}, ""},
		{"none", nil, "no signing secret is given"},
		{"empty", []string{""}, "signing secret: it is empty"},
		{"a bare prefix", []string{"whsec_"}, "signing secret: it is empty"},
		{"15 bytes", []string{"MDEyMzQ1Njc4OWFiY2Rl"}, "signing secret: it is too short: 15 bytes, at least 16 are needed"},
		{"one bad of two", []string{bare, "%"}, "signing secret 2 of 2: it is not base64; copy it whole, as the sender shows it (whsec_…)"},
	} {
		_, err := NewStandardWebhooks(c.secrets)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzStandardWebhooks(f *testing.F) {
	v := vectors(f)[2]
	f.Add(v.ID, v.Timestamp, v.Signature)
	f.Add("", "1e9", "v1,")
	s := verifier(f, v.Secret)
	f.Fuzz(func(t *testing.T, id, timestamp, signature string) {
		h := http.Header{"Svix-Id": {id}, "Svix-Timestamp": {timestamp}, "Svix-Signature": {signature}}
		err := s.Verify(h, []byte(v.Body), v.at())
		if err == nil && (id != v.ID || timestamp != v.Timestamp || !strings.Contains(signature, v.Signature)) {
			t.Fatalf("accepted id %q, time %q, signature %q", id, timestamp, signature)
		}
	})
}

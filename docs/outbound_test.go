package docs_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/webhook"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

// TestOutboundVerification runs the receiver's code of outbound-webhook.md on a
// post of crmsyncd's.
func TestOutboundVerificationAcceptsOurPostsAndNoOthers(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("this test runs the document's JavaScript and needs node")
	}
	code := ""
	for _, f := range fences(text(t, "outbound-webhook.md")) {
		if f.mark == "file: verify.js" {
			code = f.text
		}
	}
	if code == "" {
		t.Fatal("outbound-webhook.md has no verify.js")
	}
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	box := sandbox.New(sandbox.Options{})
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	c, err := webhook.New(webhook.Config{URL: config.Secret(server.URL + "/webhook/x"), SigningSecret: []config.Secret{secret, "another secret, which is new"}, AllowPrivate: []string{"true"}}, connectors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	results, err := c.Write(t.Context(), []connectors.Change{{Idempotency: "evt_1_ab", Fields: map[string]connectors.Value{"name": "Jörg <b>", "at": time.Now()}}})
	if err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	post := box.Records("webhook", "x")[0].Fields
	raw, headers := post["raw"].(string), post["headers"].(map[string]any)
	run := func(secret, raw string) (string, error) {
		var b strings.Builder
		b.WriteString("const posted = " + quoteJS(raw) + ";\nconst $input = {first: () => ({json: {headers: {")
		for _, name := range []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"} {
			b.WriteString(quoteJS(strings.ToLower(name)) + ": " + quoteJS(headers[name].(string)) + ", ")
		}
		b.WriteString("}}})};\n(async function () {\n" + strings.Replace(code, "whsec_…", secret, 1) +
			"}).call({helpers: {getBinaryDataBuffer: async () => Buffer.from(posted)}}).then((out) => console.log(JSON.stringify(out)), (e) => { console.error(e.message); process.exit(1); });\n")
		file := filepath.Join(t.TempDir(), "verify.js")
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), node, file).CombinedOutput()
		return string(out), err
	}
	if out, err := run(secret, raw); err != nil || !strings.Contains(out, "Jörg") {
		t.Errorf("our own post: %v\n%s", err, out)
	}
	if out, err := run(secret, strings.Replace(raw, "Jörg", "Jürg", 1)); err == nil || !strings.Contains(out, "not sent by crmsyncd") {
		t.Errorf("a changed body: %v\n%s", err, out)
	}
	if out, err := run("whsec_"+strings.Repeat("A", 32), raw); err == nil || !strings.Contains(out, "not sent by crmsyncd") {
		t.Errorf("another secret: %v\n%s", err, out)
	}
}

// quoteJS writes text as a JavaScript string.
func quoteJS(s string) string {
	text, _ := json.Marshal(s) // text can always be written
	return string(text)
}

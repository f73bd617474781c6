package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// browser is a real Chromium, driven through chromedriver (WebDriver): Debian's
// chromium and chromium-driver.
type browser struct {
	t       *testing.T
	session string // address of the session
	client  *http.Client
}

// newBrowser starts one with a profile of its own, without JavaScript if scripts
// is false.
func newBrowser(t *testing.T, scripts bool) *browser {
	t.Helper()
	driver, err := exec.LookPath("chromedriver")
	if err != nil {
		t.Fatal("there is no chromedriver: apt-get install chromium chromium-driver")
	}
	at := address(t)
	_, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(driver, "--port="+port)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // and every process of the browser
		_ = cmd.Wait()
	})
	b := &browser{t: t, session: "http://" + at, client: &http.Client{Timeout: time.Minute}}
	if err := poll(func() error {
		resp, err := b.client.Get("http://" + at + "/status")
		if err == nil {
			resp.Body.Close()
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	javascript := 1
	if !scripts {
		javascript = 2
	}
	var session struct {
		ID string `json:"sessionId"`
	}
	b.do("POST", "/session", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"acceptInsecureCerts": true,
		"goog:loggingPrefs":   map[string]string{"browser": "ALL"},
		"goog:chromeOptions": map[string]any{
			"prefs": map[string]any{"profile.managed_default_content_settings.javascript": javascript},
			"args": []string{
				"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
				"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--user-data-dir=" + t.TempDir(), "--window-size=1280,900",
			},
		},
	}}}, &session)
	b.session += "/session/" + session.ID
	t.Cleanup(func() { b.do("DELETE", "", nil, nil) })
	return b
}

// do sends a command of WebDriver.
func (b *browser) do(method, path string, order, into any) {
	b.t.Helper()
	if err := b.try(method, path, order, into); err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
}

func (b *browser) try(method, path string, order, into any) error {
	var body io.Reader
	if order != nil {
		text, err := json.Marshal(order)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, b.session+path, body)
	if err != nil {
		return err
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct{ Value json.RawMessage }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%d: %.300s", resp.StatusCode, answer.Value)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer.Value, into)
}

func (b *browser) open(address string) {
	b.t.Helper()
	b.do("POST", "/url", map[string]string{"url": address}, nil)
}

// find is the first element of an XPath, waited for.
func (b *browser) find(xpath string) string {
	b.t.Helper()
	var id string
	if err := poll(func() error {
		var e map[string]string
		if err := b.try("POST", "/element", map[string]string{"using": "xpath", "value": xpath}, &e); err != nil {
			return err
		}
		for _, id = range e {
		}
		return nil
	}); err != nil {
		b.t.Fatalf("no %s on the page: %v\n%s", xpath, err, b.text())
	}
	return "/element/" + id
}

func (b *browser) click(xpath string) {
	b.t.Helper()
	if err := poll(func() error { // a page that is shown anew takes the element away
		return b.try("POST", b.find(xpath)+"/click", map[string]any{}, nil)
	}); err != nil {
		b.t.Fatalf("click %s: %v", xpath, err)
	}
}

func (b *browser) write(xpath, text string) {
	b.t.Helper()
	if err := poll(func() error { // as for click
		return b.try("POST", b.find(xpath)+"/value", map[string]string{"text": text}, nil)
	}); err != nil {
		b.t.Fatalf("write into %s: %v", xpath, err)
	}
}

// text is what the page says.
func (b *browser) text() (text string) {
	var e map[string]string
	if b.try("POST", "/element", map[string]string{"using": "css selector", "value": "body"}, &e) != nil {
		return ""
	}
	for _, id := range e {
		_ = b.try("GET", "/element/"+id+"/text", nil, &text)
	}
	return text
}

// says waits until the page says something.
func (b *browser) says(words ...string) {
	b.t.Helper()
	for _, w := range words {
		if err := poll(func() error {
			if text := b.text(); !strings.Contains(text, w) {
				return fmt.Errorf("the page does not say %q:\n%s", w, text)
			}
			return nil
		}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// complaints are what the browser has to say: errors of scripts, what the policy
// refused.
func (b *browser) complaints() (out []string) {
	b.t.Helper()
	var list []struct{ Level, Message string }
	b.do("POST", "/se/log", map[string]string{"type": "browser"}, &list)
	for _, l := range list {
		if l.Level == "SEVERE" || strings.Contains(l.Message, "Content Security Policy") {
			out = append(out, l.Message)
		}
	}
	return out
}

// devtools sends a command of Chrome's own.
func (b *browser) devtools(cmd string, params map[string]any) {
	b.t.Helper()
	b.do("POST", "/goog/cdp/execute", map[string]any{"cmd": cmd, "params": params}, nil)
}

// shoot keeps pictures of the page, if $PAGES_SHOTS names a folder: light, dark,
// and as a phone shows it.
func (b *browser) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("PAGES_SHOTS")
	if dir == "" {
		return
	}
	for _, look := range []struct {
		name, scheme string
		width        int
		phone        bool
	}{{"light", "light", 1280, false}, {"dark", "dark", 1280, false}, {"phone", "light", 390, true}} {
		b.devtools("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": look.scheme}}})
		b.devtools("Emulation.setDeviceMetricsOverride", map[string]any{"width": look.width, "height": 900, "deviceScaleFactor": 1, "mobile": look.phone})
		var picture string
		b.do("GET", "/screenshot", nil, &picture)
		data, err := base64.StdEncoding.DecodeString(picture)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+"-"+look.name+".png"), data, 0o644)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	b.devtools("Emulation.clearDeviceMetricsOverride", map[string]any{})
	b.devtools("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{}})
}

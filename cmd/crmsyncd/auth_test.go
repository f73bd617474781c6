package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptConsent runs crmsyncd auth and is the person at the browser:
// [!] consent [-deny] [-paste] [-other] CONNECTOR WANT...
// With -paste the address at which the browser ends is pasted instead; with
// -other an answer to another page comes first. WANTs are in what it prints.
func scriptConsent(ts *testscript.TestScript, neg bool, args []string) {
	f := flag.NewFlagSet("consent", flag.ContinueOnError)
	deny := f.Bool("deny", false, "")
	paste := f.Bool("paste", false, "")
	other := f.Bool("other", false, "")
	ts.Check(f.Parse(args))
	self, err := os.Executable()
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), scriptPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "auth", f.Arg(0), "--no-browser", "--listen", "127.0.0.1:0", "--timeout", scriptPatience.String())
	cmd.Dir, cmd.Env = ts.MkAbs("."), append(os.Environ(), "CRMSYNCD_TEST_RUN=1", "SANDBOX="+ts.Getenv("SANDBOX"))
	in, err := cmd.StdinPipe()
	ts.Check(err)
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	var printed, stderr bytes.Buffer
	cmd.Stderr = &stderr
	ts.Check(cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		printed.WriteString(line + "\n")
		if !strings.Contains(line, "/authorize?") {
			continue
		}
		if *deny {
			line += "&deny=1"
		}
		to, err := endOf(line)
		ts.Check(err)
		wrong := *to
		wrong.RawQuery = url.Values{"state": {"another"}, "code": {"stolen"}}.Encode()
		if *other {
			visit(wrong.String())
			_, _ = io.WriteString(in, wrong.String()+"\nnonsense\n")
		}
		if *paste {
			_, _ = io.WriteString(in, to.String()+"\n")
		} else {
			printed.WriteString(visit(to.String()))
		}
	}
	err = cmd.Wait()
	text := printed.String() + stderr.String()
	ts.Logf("%s", text)
	if (err != nil) != neg {
		ts.Fatalf("ended with %v", err)
	}
	for _, want := range f.Args()[1:] {
		if !strings.Contains(text, want) {
			ts.Fatalf("%q is not in what it printed", want)
		}
	}
}

// endOf is the address at which a browser ends that opens a page.
func endOf(page string) (*url.URL, error) {
	req, err := http.NewRequest(http.MethodGet, page, nil)
	if err != nil {
		return nil, err
	}
	r, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	return r.Location()
}

func visit(address string) string {
	r, err := http.Get(address)
	if err != nil {
		return err.Error()
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	return string(text)
}

func TestWaitForCode(t *testing.T) {
	t.Parallel()
	wait := func(t *testing.T, ctx context.Context, pasted string) (string, string, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		code, reply, err := waitForCode(ctx, l, strings.NewReader(pasted), &out, "right")
		if reply != nil {
			reply(nil)
		}
		return code, out.String(), err
	}
	for _, c := range []struct{ name, pasted, code, problem, shown string }{
		{"the answer", "http://localhost:1/callback?state=right&code=c1", "c1", "", ""},
		{"the answer behind another", "http://localhost:1/callback?state=wrong&code=c0\n\nhttp://localhost:1/callback?code=c1&state=right", "c1", "", "not the answer"},
		{"a refusal", "http://localhost:1/callback?state=right&error=access_denied", "", "not allowed", ""},
		{"another error", "http://localhost:1/callback?state=right&error=invalid_scope", "", "invalid_scope", ""},
		{"an error that is no word", "http://localhost:1/callback?state=right&error=%1b[2Jgone", "", "unknown error", ""},
		{"no code", "http://localhost:1/callback?state=right", "", "no code", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, shown, err := wait(t, t.Context(), c.pasted+"\n")
			if code != c.code || (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) || !strings.Contains(shown, c.shown) {
				t.Errorf("got code %q, %v, shown %q", code, err, shown)
			}
		})
	}
	t.Run("patience ends", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, errors.New("no answer came"))
		defer cancel()
		if _, _, err := wait(t, ctx, ""); err == nil || !strings.Contains(err.Error(), "no answer came") {
			t.Errorf("got %v", err)
		}
	})
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/sources"
)

// threat is a row of docs/security.md: what somebody does, and what must come
// of it.
type threat struct {
	id, what, want string
	// try attacks a real daemon. Most share one.
	try func(t *testing.T, a *attacked)
	// also are tests elsewhere that show it, as "folder TestName": what only an
	// emulated CRM or a test's own clock can show.
	also []string
	long bool // takes seconds: not without make security
	// beyond says who sees to it where no test of a process can.
	beyond string
}

func threats() []threat {
	return slices.Concat(threatsOfTheWire(), threatsOfSenders(), threatsOfBodies(), threatsOfCRMs(), threatsOfTheAdminSide(), threatsOfTheMachine())
}

// TestSecurity attacks the real binary: with SECURITY=1, as make security sets
// it, in every way of the table, else in those that take no time.
func TestSecurity(t *testing.T) {
	t.Parallel()
	whole := os.Getenv("SECURITY") != ""
	list := threats()
	elsewhere := map[string]string{}
	if whole {
		elsewhere = runElsewhere(t, list)
	}
	a := newAttacked(t, "")
	var out strings.Builder
	for _, c := range list {
		result := "pass"
		switch {
		case c.try == nil && len(c.also) == 0:
			result = "n.a.: " + c.beyond
		case c.long && !whole:
			continue
		case c.try != nil && !t.Run(c.id, func(t *testing.T) { c.try(t, a.of(t)) }):
			result = "FAIL"
		}
		for _, test := range c.also {
			if whole && elsewhere[test] != "pass" {
				t.Errorf("%s: %s: %s", c.id, test, elsewhere[test])
				result = "FAIL"
			}
		}
		fmt.Fprintf(&out, "%-4s %-68.68s %s\n", c.id, c.what, result)
	}
	if !a.alive() {
		t.Errorf("the daemon did not live through it; it said:\n%s", a.err.String())
	}
	if said := a.err.String(); strings.Contains(said, "panic") {
		t.Errorf("the daemon panicked:\n%s", said)
	}
	if whole {
		t.Log("\n" + out.String())
	}
}

// runElsewhere runs the tests of the table that are elsewhere, and says of each
// how it ended.
func runElsewhere(t *testing.T, list []threat) map[string]string {
	t.Helper()
	const here = "cmd/crmsyncd"
	var folders, wanted []string
	results := map[string]string{}
	for _, c := range list {
		for _, test := range c.also {
			folder, name, _ := strings.Cut(test, " ")
			results[test] = "not run"
			if folder != here {
				folders, wanted = append(folders, "./"+folder), append(wanted, name)
			}
		}
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SECURITY=") })
	args := append([]string{"test", "-json", "-count=1", "-timeout", "5m", "-run", "^(" + strings.Join(wanted, "|") + ")$"}, slices.Compact(slices.Sorted(slices.Values(folders)))...)
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir, cmd.Env = filepath.Join("..", ".."), env
	out, err := cmd.Output()
	for line := range bytes.Lines(out) {
		var e struct{ Action, Package, Test, Output string }
		if json.Unmarshal(line, &e) != nil {
			continue
		}
		if test := strings.TrimPrefix(e.Package, module) + " " + e.Test; results[test] != "" && slices.Contains([]string{"pass", "fail", "skip"}, e.Action) {
			results[test] = e.Action
		}
		if err != nil && e.Action == "output" {
			t.Log(strings.TrimRight(e.Output, "\n"))
		}
	}
	if err != nil {
		t.Errorf("go test: %v", err)
	}
	for test := range results {
		folder, name, _ := strings.Cut(test, " ")
		if folder != here {
			continue
		}
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), self, "-test.run", "^"+name+"$", "-test.timeout", "5m")
		cmd.Env = env
		results[test] = "pass"
		if out, err := cmd.CombinedOutput(); err != nil {
			results[test] = "fail"
			t.Logf("%s: %v\n%s", name, err, out)
		}
	}
	return results
}

// TestSecurityTable holds docs/security.md to the table, and the table to the
// tests that there are.
func TestSecurityTable(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	rows.WriteString("| id | somebody… | so | shown by |\n| --- | --- | --- | --- |\n")
	seen := map[string]bool{}
	for _, c := range threats() {
		if seen[c.id] {
			t.Errorf("%s is there twice", c.id)
		}
		seen[c.id] = true
		shown := []string{}
		if c.try != nil {
			shown = append(shown, "`TestSecurity/"+c.id+"`")
		}
		for _, test := range c.also {
			folder, name, _ := strings.Cut(test, " ")
			if !thereIsATest(t, folder, name) {
				t.Errorf("%s: %s has no %s", c.id, folder, name)
			}
			shown = append(shown, "`"+name+"` ("+folder+")")
		}
		if len(shown) == 0 {
			shown = []string{"not tested: " + c.beyond}
		}
		fmt.Fprintf(&rows, "| %s | %s | %s | %s |\n", c.id, c.what, c.want, strings.Join(shown, ", "))
	}
	generated(t, "threats", rows.String())
	generated(t, "fuzz", fuzzTargets(t))
}

// generated holds a part of docs/security.md to what the code says.
func generated(t *testing.T, name, want string) {
	t.Helper()
	begin, end := "<!-- of the tests: "+name+" -->\n", "<!-- end -->\n"
	path := filepath.Join("..", "..", "docs", "security.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	have, after, ended := strings.Cut(rest, end)
	switch {
	case !ok || !ended:
		t.Fatalf("docs/security.md has no place for %s", name)
	case have == want:
	case *update:
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s of docs/security.md are not those of the code: go test ./cmd/crmsyncd -run TestSecurityTable -update", name)
	}
}

// fuzzTargets lists the fuzz targets of the tree.
func fuzzTargets(t *testing.T) string {
	t.Helper()
	var rows []string
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(filepath.Join("..", ".."), filepath.Dir(path))
		for _, m := range fuzzTarget.FindAllSubmatch(text, -1) {
			rows = append(rows, fmt.Sprintf("| `%s` | `%s` |\n", filepath.ToSlash(folder), m[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(rows)
	return "| folder | target |\n| --- | --- |\n" + strings.Join(rows, "")
}

var fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(f \*testing\.F\)`)

func thereIsATest(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no tests: %v", folder, err)
	}
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil && bytes.Contains(text, []byte("\nfunc "+name+"(t *testing.T)")) {
			return true
		}
	}
	return false
}

// attacked is a real daemon under attack, with the CRMs that it writes to.
type attacked struct {
	*process
	t       *testing.T // that attacks it now
	sb      *sandbox.Sandbox
	crm     string // address of the sandbox
	listen  string
	private string
	src     sources.Source
	client  *http.Client
	asked   *atomic.Int64 // answers of whoever answers for HubSpot; nil: the sandbox does
}

const pathToken = "phones-token-of-32-characters-00"

const oldSecret = "whsec_BBECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// attackedConfig has a source of each kind that can be attacked in its own way.
const attackedConfig = `listen: %s
admin: %s
data_dir: ./data
mapping: mapping.yaml
defaults: {country: DE, timezone: Europe/Berlin}
delivery: {backoff_min: 100ms, backoff_max: 500ms, drain: 5s}
log: {level: debug}
limits: {header_time: 5s, body_time: 5s, store_time: 30s, connections_per_address: 100}
%ssources:
  telli: {type: telli, signing_secret: ["` + testSecret + `", "` + oldSecret + `"]}
  chat: {type: respondio, signing_keys: [respondio-signing-key-0123456789]}
  phones: {type: voipgrid, token: ` + pathToken + `, limits: {body: 1KiB}}
  office: {type: voipgrid, allow_from: 192.0.2.0/24}
  robots: {type: sipgate, token: robots-token-of-32-characters-01}
connectors:
  hubspot: {type: hubspot, access_token: pat-eu1-secret-token, base_url: %s/hubspot, requests_per_10s: 100000}
  airtable: {type: airtable, access_token: pat-secret-token, base: appCrmsyncdDemo00, base_url: %s/airtable, requests_per_second: 10000}
`

// newAttacked starts a daemon of its own with more settings at the top.
func newAttacked(t *testing.T, settings string) *attacked {
	t.Helper()
	a := prepareAttacked(t, settings)
	a.begin()
	return a
}

// prepareAttacked writes the settings of a daemon and does not start it.
func prepareAttacked(t *testing.T, settings string) *attacked {
	t.Helper()
	sb := sandbox.New(sandbox.Options{Unlimited: true})
	crm := httptest.NewServer(sb)
	t.Cleanup(crm.Close)
	p := &process{t: t, dir: t.TempDir(), bin: os.Getenv("CRMSYNCD")}
	a := &attacked{process: p, t: t, sb: sb, crm: crm.URL, listen: address(t), private: address(t), client: &http.Client{
		Timeout:       scriptPatience,
		Transport:     &http.Transport{MaxConnsPerHost: 32, MaxIdleConnsPerHost: 32},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	t.Cleanup(a.client.CloseIdleConnections)
	var err error
	if a.src, err = telliSource(testSecret); err != nil {
		t.Fatal(err)
	}
	a.file("config.yaml", fmt.Sprintf(attackedConfig, a.listen, a.private, settings, crm.URL, crm.URL))
	if err := writeConfig(a.dir, a.listen, a.private, crm.URL); err != nil {
		t.Fatal(err)
	}
	return a
}

// begin starts the daemon and waits until it serves.
func (a *attacked) begin() {
	a.process.t.Helper()
	a.start()
	a.process.t.Cleanup(func() {
		if a.cmd.ProcessState == nil {
			_ = a.end(syscall.SIGKILL)
		}
	})
	if _, err := readyAt(a.private); err != nil {
		a.process.t.Fatalf("%v\n%s", err, a.err.String())
	}
}

// of is the same daemon for a test of its own.
func (a *attacked) of(t *testing.T) *attacked {
	mine := *a
	mine.t = t
	return &mine
}

func (a *attacked) alive() bool {
	resp, err := a.client.Get("http://" + a.listen + "/healthz")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (a *attacked) file(name, text string) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// status is what the daemon says of itself.
func (a *attacked) status() admin.Status {
	a.t.Helper()
	s, err := admin.NewClient(a.private).Status(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	return s
}

// keeps checks how many events an attack leaves in the ledger.
func (a *attacked) keeps(want uint64, attack func()) {
	a.t.Helper()
	before := a.status().Events
	attack()
	if got := a.status().Events - before; got != want {
		a.t.Errorf("%d events were kept, want %d", got, want)
	}
}

// settled waits until everything that was taken has been written.
func (a *attacked) settled() {
	a.t.Helper()
	if err := settledAt(a.private, 0); err != nil {
		a.t.Fatal(err)
	}
}

// signed is a request of telli's with a body, as it is signed at a time.
func (a *attacked) signed(body, id string, at time.Time) *http.Request {
	a.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+a.listen+"/hooks/telli", strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if err := a.src.(sources.Signer).Sign(&sources.Request{URL: req.URL, Header: req.Header, Body: []byte(body)}, id, at); err != nil {
		a.t.Fatal(err)
	}
	return req
}

// do sends a request and returns the status and the body of the answer.
func (a *attacked) do(req *http.Request) (status int, body string, header http.Header) {
	a.t.Helper()
	resp, err := a.client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

// gives sends a request and checks status and a word of the answer.
func (a *attacked) gives(what string, req *http.Request, status int, word string) {
	a.t.Helper()
	got, body, _ := a.do(req)
	if got != status || !strings.Contains(body, word) {
		a.t.Errorf("%s: answered %d %s, want %d %s", what, got, body, status, word)
	}
}

// says waits for a line in the log, and checks that none is there of words.
func (a *attacked) says(line string) {
	a.t.Helper()
	pattern := regexp.MustCompile(line)
	if err := poll(func() error {
		if !pattern.MatchString(a.err.String()) {
			return fmt.Errorf("the log has no %q", line)
		}
		return nil
	}); err != nil {
		a.t.Error(err)
	}
}

// head is the beginning of a signed request with a body, without its length.
func (a *attacked) head(body string) string {
	a.t.Helper()
	var h strings.Builder
	if err := a.signed(body, newMessageID(), time.Now()).Header.Write(&h); err != nil {
		a.t.Fatal(err)
	}
	return "POST /hooks/telli HTTP/1.1\r\nHost: x\r\n" + h.String()
}

// raw sends bytes and gives the answers' statuses, and whether the daemon
// closed the connection.
func (a *attacked) raw(address, text string) (statuses string, closed bool) {
	a.t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		a.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(scriptPatience))
	go func() { _, _ = io.WriteString(c, text) }() // who is refused may be cut off
	return answersOn(c)
}

func answersOn(c net.Conn) (statuses string, closed bool) {
	r := bufio.NewReader(c)
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			ne, ok := err.(net.Error)
			return strings.TrimSpace(statuses), !ok || !ne.Timeout()
		}
		statuses += fmt.Sprint(resp.StatusCode, " ")
		_, _ = io.Copy(io.Discard, resp.Body)
	}
}

// wire sends bytes and checks the answers, that the connection is closed and
// that nothing was kept, unless the only answer is 200.
func (a *attacked) wire(what, text, want string) {
	a.t.Helper()
	keep := uint64(strings.Count(want, "200"))
	a.keeps(keep, func() {
		a.t.Helper()
		got, closed := a.raw(a.listen, text)
		if got != want || !closed {
			a.t.Errorf("%s: answers %q and closed %v, want %q and true", what, got, closed, want)
		}
	})
}

// refusesSettings checks that serve ends with a code and says why.
func (a *attacked) refusesSettings(what string, code int, says string, never ...string) {
	a.t.Helper()
	cmd := a.command("serve")
	ctx, cancel := context.WithTimeout(a.t.Context(), scriptPatience)
	defer cancel()
	go func() {
		<-ctx.Done()
		if cmd.Process != nil && cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
		}
	}()
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code || !strings.Contains(string(out), says) {
		a.t.Errorf("%s: ended with %d, want %d and %q:\n%s", what, got, code, says, out)
	}
	for _, word := range never {
		if strings.Contains(string(out), word) {
			a.t.Errorf("%s: it shows %q:\n%s", what, word, out)
		}
	}
}

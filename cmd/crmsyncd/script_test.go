package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/telli"
)

var update = flag.Bool("update", false, "write the expected outputs in the scripts anew")

const testSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// testVersion names a variable that has the test's own daemon take itself for
// another version.
const testVersion = "CRMSYNCD_TEST_VERSION"

func TestMain(m *testing.M) {
	if out := os.Getenv(bareOut); out != "" {
		fmt.Fprintln(os.Stderr, bareProgram(os.Args[1], out))
		os.Exit(1)
	}
	if at := os.Getenv(testResolver); at != "" {
		resolveAt(at)
	}
	if v := os.Getenv(testVersion); v != "" {
		version = v
	}
	if os.Getenv("CRMSYNCD_TEST_RUN") == "1" {
		os.Exit(run(os.Args[1:]))
	}
	testscript.Main(m, map[string]func(){"crmsyncd": func() { os.Exit(run(os.Args[1:])) }})
}

// TestScripts tells the stories of testdata/script. Each has a sandbox at
// $SANDBOX, and config.yaml and mapping.yaml of the example unless it brings
// its own. Beside testscript's commands there are:
//
//	ready              waits until the daemon is ready, at $LISTEN and $ADMIN
//	settled N          waits until N events are there and no delivery waits
//	hook [flags] WANT  posts a webhook as telli and checks the status
//	records CRM OBJECT N [FIELD=VALUE...]  checks what is in the sandbox
//	person CRM OBJECT FIELD=VALUE...  makes a record in the sandbox, as a person does
//	fault JSON         has the sandbox misbehave
//	vendor NAME OBJECT [-times N] FILE...  puts records of files into an emulated vendor
//	asked NAME N       waits until an emulated vendor was asked N times
//	get PATH WANT...   checks what the admin side answers
//	edit FILE OLD NEW  replaces text in a file
//	waitstatus [-not] TEXT  waits until status shows a text
//	exits CODE CMD...  runs a command that must end with an exit code
//	consent [flags] CONNECTOR WANT...  runs crmsyncd auth with a person at the browser
//	signal HUP|TERM|INT [N]  sends a signal to the script's background command, or the one of that number
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup:         setUpScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": scriptReady, "settled": scriptSettled, "hook": scriptHook, "records": scriptRecords, "posts": scriptPosts, "fault": scriptFault, "person": scriptPerson, "edit": scriptEdit, "waitstatus": scriptStatus, "exits": scriptExits, "signal": scriptSignal, "reload": scriptReload, "get": scriptGet, "consent": scriptConsent, "vendor": scriptVendor, "asked": scriptAsked,
		},
	})
}

func setUpScript(env *testscript.Env) error {
	sb := httptest.NewServer(sandbox.New(sandbox.Options{Unlimited: true}))
	env.Defer(sb.Close)
	env.Setenv("SANDBOX", sb.URL)
	env.Setenv("ADMIN", "unix:"+filepath.Join(env.WorkDir, "admin.sock"))
	env.Setenv("SECRET", testSecret)
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("NO_COLOR", "1")
	// One hour for the whole story: what is sent again in it is the same.
	env.Setenv("HOUR", time.Now().Truncate(time.Hour).Format(time.RFC3339))
	if err := writeConfig(env.WorkDir, "127.0.0.1:0", "unix:./admin.sock", sb.URL); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(env.WorkDir, "*.yaml"))
	if err != nil {
		return err
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err == nil && settingsFile.Match(text) {
			err = addTo(f, slowDisk)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settingsFile tells settings from other YAML files of a script.
var settingsFile = regexp.MustCompile(`(?m)^listen: `)

// slowDisk are settings with which a webhook is taken where the disk stands still for
// longer than vendors wait.
const slowDisk = "limits: {store_time: 1m}\n"

// addTo puts more at the end of a file.
func addTo(path, more string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(more)
	return errors.Join(err, f.Close())
}

// writeConfig writes config.yaml and the example's mapping.yaml, where a test
// does not bring its own.
func writeConfig(dir, listen, private, sandboxURL string) error {
	config := fmt.Sprintf(`listen: %s
admin: %s
data_dir: ./data
mapping: mapping.yaml
defaults: {country: DE, timezone: Europe/Berlin}
delivery: {backoff_min: 100ms, backoff_max: 1s, drain: 5s}
sources:
  telli: {type: telli, signing_secret: "%s"}
connectors:
  hubspot: {type: hubspot, access_token: pat-eu1-secret-token, base_url: %s/hubspot, requests_per_10s: 100000}
  airtable: {type: airtable, access_token: pat-secret-token, base: appCrmsyncdDemo00, base_url: %s/airtable, requests_per_second: 10000}
`, listen, private, testSecret, sandboxURL, sandboxURL)
	mapping, err := os.ReadFile(filepath.Join("..", "..", "examples", demoExample, "mapping.yaml"))
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{"config.yaml": []byte(config), "mapping.yaml": mapping} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// scriptPatience is longer than the longest pause of a connector whose CRM is
// back, a minute, and than that after which a certificate is ordered again.
const scriptPatience = 3 * time.Minute

// poll repeats try until it gives no error, and reports the last one.
func poll(try func() error) (err error) {
	for end := time.Now().Add(scriptPatience); ; {
		if err = try(); err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func scriptReady(ts *testscript.TestScript, neg bool, args []string) {
	listen, err := readyAt(ts.Getenv("ADMIN"))
	ts.Check(err)
	ts.Setenv("LISTEN", listen)
}

// readyAt waits until the daemon is ready and returns where it takes webhooks.
func readyAt(address string) (listen string, err error) {
	client := admin.NewClient(address) // one, as each keeps a connection
	return listen, poll(func() error {
		s, err := client.Status(context.Background())
		if err == nil && !s.Ready {
			err = errors.New(s.NotReady)
		}
		listen = s.Listen
		return err
	})
}

func scriptSettled(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.ParseUint(args[0], 10, 64)
	ts.Check(err)
	ts.Check(settledAt(ts.Getenv("ADMIN"), want))
}

// settledAt waits until the daemon has that many events and none waits.
func settledAt(address string, events uint64) error {
	client := admin.NewClient(address)
	return poll(func() error {
		s, err := client.Status(context.Background())
		if err != nil {
			return err
		}
		if s.Events < events || s.Unplanned > 0 {
			return fmt.Errorf("%d events, %d unplanned; want %d", s.Events, s.Unplanned, events)
		}
		for _, c := range s.Connectors {
			if c.Waiting > 0 {
				return fmt.Errorf("%d deliveries to %s still wait: %s %s", c.Waiting, c.Name, c.State, c.Reason)
			}
		}
		return nil
	})
}

// scriptHook posts a webhook: hook [-sample S] [-n PERSON] [-file F] [-id ID]
// [-secret S] [-age 10m] [-nosig] [-method M] [-type T] [-path P] [-minute M]
// [-header "NAME: VALUE"] WANT
func scriptHook(ts *testscript.TestScript, neg bool, args []string) {
	f := flag.NewFlagSet("hook", flag.ContinueOnError)
	sample := f.String("sample", "call_completed", "")
	n := f.Int("n", 17, "")
	file := f.String("file", "", "")
	id := f.String("id", "", "")
	secret := f.String("secret", testSecret, "")
	age := f.Duration("age", 0, "")
	nosig := f.Bool("nosig", false, "")
	method := f.String("method", http.MethodPost, "")
	contentType := f.String("type", "application/json", "")
	path := f.String("path", "/hooks/telli", "")
	minute := f.Int("minute", 0, "")
	size := f.Int("size", 0, "")
	header := f.String("header", "", "")
	ts.Check(f.Parse(args))
	src, err := telliSource(*secret)
	ts.Check(err)
	hour, err := time.Parse(time.RFC3339, ts.Getenv("HOUR"))
	ts.Check(err)
	at := hour.Add(time.Duration(*minute-60) * time.Minute)
	body, err := src.(sources.Sampler).Sample(*sample, *n, at)
	ts.Check(err)
	if *file != "" {
		body = []byte(ts.ReadFile(*file))
	}
	if *size > 0 {
		body = bytes.Repeat([]byte(" "), *size)
	}
	if *id == "" {
		*id = newMessageID()
	}
	req, err := http.NewRequest(*method, "http://"+ts.Getenv("LISTEN")+*path, bytes.NewReader(body))
	ts.Check(err)
	req.Header.Set("Content-Type", *contentType)
	if name, value, ok := strings.Cut(*header, ": "); ok {
		req.Header.Set(name, value)
	}
	if !*nosig {
		if signer, ok := src.(sources.Signer); ok {
			ts.Check(signer.Sign(&sources.Request{URL: req.URL, Header: req.Header, Body: body}, *id, time.Now().Add(-*age)))
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	ts.Check(err)
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	got := fmt.Sprintf("%d %s", resp.StatusCode, strings.TrimSpace(string(answer)))
	ts.Logf("%s", got)
	for _, want := range f.Args() {
		if !strings.Contains(got, want) {
			ts.Fatalf("got %s, want %s in it", got, want)
		}
	}
}

func scriptRecords(ts *testscript.TestScript, neg bool, args []string) {
	list, err := sandboxRecords(ts.Getenv("SANDBOX"), args[0], args[1])
	ts.Check(err)
	want, err := strconv.Atoi(args[2])
	ts.Check(err)
	hits := 0
	for _, r := range list {
		ok := true
		for _, cond := range args[3:] {
			field, value, _ := strings.Cut(cond, "=")
			ok = ok && fmt.Sprint(r.Fields[field]) == value
		}
		if ok {
			hits++
		}
	}
	if hits != want {
		ts.Fatalf("%s has %d %s %s, want %d (of %d in all)", args[0], hits, args[1], strings.Join(args[3:], " "), want, len(list))
	}
}

func sandboxRecords(base, crm, object string) (list []sandbox.Record, err error) {
	resp, err := http.Get(base + "/_/records/" + crm + "/" + object)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return list, json.NewDecoder(resp.Body).Decode(&list)
}

// scriptPerson makes a record as a person does in the CRM.
func scriptPerson(ts *testscript.TestScript, neg bool, args []string) {
	fields := map[string]string{}
	for _, a := range args[2:] {
		name, value, _ := strings.Cut(a, "=")
		fields[name] = value
	}
	body, err := json.Marshal(fields)
	ts.Check(err)
	resp, err := http.Post(ts.Getenv("SANDBOX")+"/_/records/"+args[0]+"/"+args[1], "application/json", bytes.NewReader(body))
	ts.Check(err)
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		ts.Fatalf("person: %s", resp.Status)
	}
}

func scriptFault(ts *testscript.TestScript, neg bool, args []string) {
	method, body := http.MethodPost, args[0]
	if body == "none" {
		method = http.MethodDelete
	}
	req, err := http.NewRequest(method, ts.Getenv("SANDBOX")+"/_/faults", strings.NewReader(body))
	ts.Check(err)
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		ts.Fatalf("fault: %s", resp.Status)
	}
}

// scriptEdit replaces text in a file: edit FILE OLD NEW.
func scriptEdit(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], strings.ReplaceAll(args[2], `\n`, "\n"), 1)), 0o600))
}

func telliSource(secret string) (sources.Source, error) {
	return telli.New("telli", telli.Config{SigningSecret: []config.Secret{config.Secret(secret)}}, "DE")
}

// scriptStatus waits until `crmsyncd status` would show a text (or, with
// -not, no longer shows it).
func scriptStatus(ts *testscript.TestScript, neg bool, args []string) {
	want := args[0] != "-not"
	if !want {
		args = args[1:]
	}
	client := admin.NewClient(ts.Getenv("ADMIN"))
	ts.Check(poll(func() error {
		s, err := client.Status(context.Background())
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := printStatus(&b, s, time.Now()); err != nil {
			return err
		}
		if strings.Contains(b.String(), args[0]) != want {
			return fmt.Errorf("status:\n%s", b.String())
		}
		return nil
	}))
}

// scriptExits runs a command that must end with an exit code: exits CODE CMD...
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%s exited with %d, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}

// scriptSignal sends a signal to the script's first background command, or to
// the one of a number, from 0.
func scriptSignal(ts *testscript.TestScript, neg bool, args []string) {
	sig := map[string]os.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT}[args[0]]
	which := 0
	if len(args) > 1 {
		var err error
		which, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	ts.Check(ts.BackgroundCmds()[which].Process.Signal(sig))
}

// scriptGet reads a path of the admin side: get PATH WANT...
func scriptGet(ts *testscript.TestScript, neg bool, args []string) {
	socket := strings.TrimPrefix(ts.Getenv("ADMIN"), "unix:")
	c := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	resp, err := c.Get("http://crmsyncd" + args[0])
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	got := fmt.Sprintf("%d %s", resp.StatusCode, body)
	for _, want := range args[1:] {
		if !strings.Contains(got, want) {
			ts.Fatalf("%s answered without %q:\n%s", args[0], want, got)
		}
	}
}

// scriptVendor puts records into an emulated vendor: vendor NAME OBJECT
// [-times N] FILE...
func scriptVendor(ts *testscript.TestScript, neg bool, args []string) {
	files := args[2:]
	if files[0] == "-times" {
		n, err := strconv.Atoi(files[1])
		ts.Check(err)
		files = slices.Repeat(files[2:], n)
	}
	for _, file := range files {
		resp, err := http.Post(ts.Getenv("SANDBOX")+"/_/records/"+args[0]+"/"+args[1], "application/json", strings.NewReader(ts.ReadFile(file)))
		ts.Check(err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusCreated {
			ts.Fatalf("%s: %s", file, resp.Status)
		}
	}
}

// scriptAsked waits until an emulated vendor was asked so often: asked NAME N.
func scriptAsked(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(poll(func() error {
		resp, err := http.Get(ts.Getenv("SANDBOX") + "/_/requests?crm=" + args[0])
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var list []sandbox.Request
		if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
			return err
		}
		if len(list) < want {
			return fmt.Errorf("%s was asked %d times, want %d", args[0], len(list), want)
		}
		return nil
	}))
}

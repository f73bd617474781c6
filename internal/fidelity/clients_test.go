//go:build fidelity

package fidelity

import (
	"bufio"
	"bytes"
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

const (
	installTime = 8 * time.Minute // 180 MB come over the network
	scriptTime  = 6 * time.Minute // of one client; each flow has 100 s of its own
)

// small are limits that a script passes within a moment.
var small = sandbox.Options{HubSpotPer10s: 20, PipedriveTokens: 100, SalesforceDaily: 10}

// TestTheVendorsOwnClients/runs the flows that testdata/clients describes.
func TestTheVendorsOwnClients(t *testing.T) {
	folder := install(t)
	for _, c := range []struct {
		script string
		flows  int // at least so many: a script that ends early is a failure
		watch  func(t *testing.T) func(Exchange) []string
	}{
		{"hubspot", 20, watchHubSpot},
		{"airtable", 12, nil},
		{"pipedrive", 13, watchPipedrive},
		{"salesforce", 16, nil},
	} {
		t.Run(c.script, func(t *testing.T) {
			t.Parallel()
			var check func(Exchange) []string
			if c.watch != nil {
				check = c.watch(t)
			}
			free := serve(t, c.script, sandbox.Options{Unlimited: true}, check)
			limited := serve(t, c.script, small, check)
			if n := play(t, folder, c.script, free, limited); n < c.flows {
				t.Errorf("flows: want at least %d, got %d", c.flows, n)
			}
		})
	}
}

// install puts the pinned clients into a folder of the test's own.
func install(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("testdata/clients")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), installTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=4")
	cmd.Dir = folder
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v; Node.js 18 or newer, npm and a way to its registry are needed\n%s", err, out)
	}
	return folder
}

// serve is a sandbox whose exchanges with the vendor are held against check,
// and counted for the log.
func serve(t *testing.T, vendor string, o sandbox.Options, check func(Exchange) []string) string {
	t.Helper()
	var mu sync.Mutex
	problems, seen := map[string]bool{}, 0
	s := httptest.NewServer(Watch(sandbox.New(o), "/"+vendor, func(e Exchange) {
		mu.Lock()
		defer mu.Unlock()
		seen++
		if check == nil {
			return
		}
		for _, p := range check(e) {
			problems[e.String()+": "+p] = true
		}
	}))
	t.Cleanup(func() {
		s.Close() // waits for what is under way
		for p := range problems {
			t.Error(p)
		}
		t.Logf("%d requests and answers", seen)
	})
	return s.URL
}

var flowLine = regexp.MustCompile(`^(not )?ok (.*)$`)

// play runs one script and makes a subtest of each of its flows. It returns
// how many there were.
func play(t *testing.T, folder, script, free, limited string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), scriptTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", filepath.Join(folder, script+".mjs"), free, limited)
	// A proxy of the environment has no business between the two.
	cmd.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	cmd.WaitDelay = 5 * time.Second
	var told bytes.Buffer
	cmd.Stderr = &told
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s.mjs did not run to its end: %v", script, err)
	}
	n := 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		m := flowLine.FindStringSubmatch(lines.Text())
		if m == nil {
			t.Errorf("%s.mjs: no flow: %s", script, lines.Text())
			continue
		}
		n++
		name, why, _ := strings.Cut(m[2], ": ")
		t.Run(name, func(t *testing.T) {
			if m[1] != "" {
				t.Error(why)
			}
		})
	}
	if t.Failed() {
		t.Logf("%s.mjs said:\n%s", script, told.String())
	}
	return n
}

func watchPipedrive(t *testing.T) func(Exchange) []string {
	docs, err := Pipedrive(specs + "/pipedrive")
	if err != nil {
		t.Log("requests and answers are not held against Pipedrive's documents: ", err)
		return nil
	}
	return docs.Check
}

func watchHubSpot(t *testing.T) func(Exchange) []string {
	list, err := HubSpot(specs + "/hubspot/hubspot-endpoint-facts.json")
	if err != nil {
		t.Log("paths and statuses are not held against HubSpot's list: ", err)
		return nil
	}
	return list.Check
}

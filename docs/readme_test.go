package docs_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// prelude is what the README's commands find. make is asked only whether it has
// the target; what is started in the background is awaited and ended by its pid.
const prelude = `set -euo pipefail
make() { grep -q "^$1:" Makefile || { echo "the Makefile has no target $1" >&2; return 1; }; }
pids=()
finish() {
	code=$?
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	for pid in "${pids[@]}"; do wait "$pid" || true; done
	exit "$code"
}
trap finish EXIT
await() {
	for _ in $(seq 600); do
		if curl -sf -o /dev/null --max-time 2 "$1"; then return 0; fi
		sleep 0.1
	done
	echo "nothing answers at $1" >&2
	return 1
}
`

// epilogue asks whether what was sent has arrived, each call once.
const epilogue = `
for crm in hubspot/calls airtable/Calls; do
	for _ in $(seq 600); do
		found=$(curl -s "$SANDBOX/_/records/$crm")
		n=$( (grep -o '"links"' <<<"$found" || true) | wc -l)
		if [ "$n" = 2 ]; then break; fi
		sleep 0.1
	done
	if [ "$n" != 2 ]; then echo "$crm holds $n calls, want 2: $found" >&2; exit 1; fi
done
echo "the README holds"
`

// TestReadme runs every command of the README, in order, as one script.
func TestReadme(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("this test runs the README's commands and needs curl")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "examples"), os.DirFS(filepath.Join(root, "examples"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "Makefile"), filepath.Join(dir, "Makefile")); err != nil {
		t.Fatal(err)
	}
	move := movePorts(t)
	examples, _ := filepath.Glob(filepath.Join(dir, "examples", "*", "config.yaml"))
	for _, file := range examples {
		if err := os.WriteFile(file, []byte(move.Replace(text(t, file))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sandbox := "http://" + move.Replace("127.0.0.1:9900")
	script := prelude + readmeScript(t, move) + epilogue
	got, err := runScript(t, dir, script, environment(t, dir,
		"SANDBOX="+sandbox, "TELLI_SIGNING_SECRET=whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "HUBSPOT_TOKEN=x", "AIRTABLE_TOKEN=x"))
	if err != nil || !strings.Contains(got, "the README holds") {
		t.Fatalf("%v\n%s\nthe script was\n%s", err, got, script)
	}
}

var background = regexp.MustCompile(`(?m)^(crmsyncd (sandbox|serve)\b.*?) *&$`)

// readmeScript is all blocks of the README, with other ports.
func readmeScript(t *testing.T, move *strings.Replacer) string {
	t.Helper()
	var b strings.Builder
	for _, f := range fences(text(t, readme)) {
		if f.language == "sh" {
			fmt.Fprintf(&b, "\n# README.md, line %d\n%s", f.line, f.text)
		}
	}
	if n := strings.Count(b.String(), "crmsyncd "); n < 10 {
		t.Fatalf("only %d commands were found", n)
	}
	started := 0
	script := background.ReplaceAllStringFunc(b.String(), func(line string) string {
		started++
		m := background.FindStringSubmatch(line)
		command, url := m[1], "http://127.0.0.1:8787/healthz"
		if m[2] == "sandbox" { // its address is no setting, and by default the one that the README names
			command, url = command+" --listen 127.0.0.1:9900", "http://127.0.0.1:9900/_/stats"
		}
		return command + " &\npids+=($!)\nawait " + url
	})
	if started != strings.Count(script, "&\n") {
		t.Fatalf("a command in the background is not awaited:\n%s", script)
	}
	return move.Replace(script)
}

// movePorts replaces the README's ports by free ones.
func movePorts(t *testing.T) *strings.Replacer {
	t.Helper()
	var pairs []string
	for _, port := range []string{"8787", "8788", "9900"} {
		// Below the range from which the kernel takes ports for others.
		free := strconv.Itoa(10000 + rand.IntN(20000))
		l, err := net.Listen("tcp", "127.0.0.1:"+free)
		for err != nil {
			free = strconv.Itoa(10000 + rand.IntN(20000))
			l, err = net.Listen("tcp", "127.0.0.1:"+free)
		}
		defer l.Close() // after all are chosen, so that they differ
		pairs = append(pairs, ":"+port, ":"+free)
	}
	return strings.NewReplacer(pairs...)
}

// runScript runs a script for at most four minutes, in a group of its own, so
// that nothing it started outlives it.
func runScript(t *testing.T, dir, script string, env []string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir, cmd.Env = dir, env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

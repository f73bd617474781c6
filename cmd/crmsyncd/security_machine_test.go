package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func threatsOfTheMachine() []threat {
	return []threat{
		{id: "T64", what: "writes YAML that explodes or that readers differ in: aliases of aliases, deep nesting, a key twice, two documents", want: "does not start (78), with line and column, within a second", also: []string{"config TestNoFileTakesASecondToRead", "mapping TestNoFileTakesASecondToRead"}, try: func(t *testing.T, _ *attacked) {
			a := prepareAttacked(t, "")
			config, bomb := a.read("config.yaml"), "a: &a [x,x,x,x,x,x,x,x,x]\n"
			for c := 'b'; c < 'z'; c++ {
				bomb += string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(c-1)+",", 9), ",") + "]\n"
			}
			for what, text := range map[string]string{
				"aliases": bomb + config, "an alias of itself": "a: &a [*a]\n" + config, "nesting": config + "x: " + strings.Repeat("[", 20_000) + "\n",
				"a key twice": config + "listen: 127.0.0.1:1\n", "two documents": config + "---\n" + config, "tabs": strings.Replace(config, "  telli", "\ttelli", 1),
				"no text": "\x00\xff\xfe", "a list": "- a\n",
			} {
				a.file("config.yaml", text)
				a.refusesSettings(what, 78, "config.yaml:", testSecret)
			}
		}},
		{id: "T65", what: "reloads settings that are broken", want: "the old ones stay in force; status and log say so", long: true, try: func(t *testing.T, _ *attacked) {
			a := newAttacked(t, "")
			config := a.read("config.yaml")
			for _, broken := range []string{strings.Replace(config, "listen:", "listn:", 1), strings.Replace(config, "  telli:", "   telli:", 1), ""} {
				a.file("config.yaml", broken)
				if err := a.cmd.Process.Signal(syscall.SIGHUP); err != nil {
					t.Fatal(err)
				}
				if err := poll(func() error {
					if m := a.metrics(); !strings.Contains(m, "crmsyncd_settings_last_load_successful 0") {
						return os.ErrDeadlineExceeded
					}
					return nil
				}); err != nil {
					t.Error("the metric does not tell of the broken settings")
				}
				a.gives("afterwards", a.signed("{}", newMessageID(), time.Now()), 200, "unknown")
			}
		}},
		{id: "T66", what: "writes a formula that never ends or eats the memory", want: "refused, or ended by its bound; there are no loops", also: []string{"mapping TestFormulasAreBounded"}},
		{id: "T67", what: "reads settings that hold a secret, as another user of the machine", want: "`doctor` says so, and the mend", also: []string{"internal/doctor TestFiles"}},
		{id: "T68", what: "sends line breaks, terminal codes and megabytes where a log may show them", want: "one line each, quoted, short", try: func(t *testing.T, a *attacked) {
			evil := "x\\nlevel=ERROR msg=forged\\u001b[31m"
			a.gives("event", a.signed(`{"event": "`+evil+strings.Repeat("y", 1<<20)+`"}`, newMessageID(), time.Now()), 200, "")
			a.wire("path", "POST /hooks/tel%0alevel=ERROR%1b[31m"+strings.Repeat("z", 4000)+" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "404")
			for line := range strings.Lines(a.err.String()) {
				if len(line) > 4<<10 || strings.Contains(line, "\x1b") || strings.HasPrefix(line, "level=ERROR msg=forged") {
					t.Errorf("the log has %.300q", line)
				}
			}
		}},
		{id: "T69", what: "looks for tokens in logs, errors, metrics and crash output", want: "none is there, in plain, base64 or URL form", also: []string{"cmd/crmsyncd TestNothingPersonalComesOut", "internal/httpx TestErrorsHoldNoSecret", "config TestSecretNeverPrints"}},
		{id: "T70", what: "looks for numbers and transcripts in logs", want: "none is there, at any level", also: []string{"cmd/crmsyncd TestNothingPersonalComesOut"}},
		{id: "T71", what: "reads secrets out of a core dump or the swap", want: "the unit has neither", try: func(t *testing.T, _ *attacked) { unitHas(t, "LimitCORE=0", "MemorySwapMax=0") }},
		{id: "T72", what: "may write where the ledger is, or has the ledger be a link", want: "does not start (78), and says what to do", try: func(t *testing.T, _ *attacked) {
			a := prepareAttacked(t, "")
			data := filepath.Join(a.dir, "data")
			if err := os.Mkdir(data, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(data, 0o777); err != nil {
				t.Fatal(err)
			}
			a.refusesSettings("a folder that all may write to", 78, "chmod")
			if err := os.Chmod(data, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(filepath.Join(a.dir, "elsewhere.db"), filepath.Join(data, "ledger.db")); err != nil {
				t.Fatal(err)
			}
			a.refusesSettings("a link", 78, "link")
		}},
		{id: "T73", what: "starts a second daemon on the same ledger", want: "it ends (75), the first goes on", long: true, try: func(t *testing.T, a *attacked) {
			a.file("second.yaml", strings.NewReplacer(a.listen, "127.0.0.1:0", a.private, "127.0.0.1:0").Replace(a.read("config.yaml")))
			cmd := exec.Command(a.command("serve").Path, "serve", "--config", filepath.Join(a.dir, "second.yaml"))
			cmd.Dir, cmd.Env = a.dir, a.command("serve").Env
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != 75 {
				t.Errorf("it ended with %d, want 75:\n%s", code, out)
			}
			if !a.alive() {
				t.Error("the first has ended")
			}
		}},
		{id: "T73b", what: "copies the ledger and runs it on a second machine", want: "both write to the CRM: records are found by their keys, not made twice, but nothing warns", beyond: "one machine cannot see the other; a backup is made with `crmsyncd ledger backup`"},
		{id: "T74", what: "sends signals or readiness as another user", want: "the kernel refuses signals; the unit takes readiness from the daemon alone", try: func(t *testing.T, _ *attacked) { unitHas(t, "NotifyAccess=main", "DynamicUser=yes") }},
		{id: "T75", what: "has taken over the process", want: "it is locked in: no capability, no writing but its folder, no new program; `systemd-analyze security` at most 1.1 (`make check`)", try: func(t *testing.T, _ *attacked) {
			unitHas(t, "CapabilityBoundingSet=", "NoNewPrivileges=yes", "ProtectSystem=strict", "MemoryDenyWriteExecute=yes", "NoExecPaths=/", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "SystemCallFilter=@system-service")
		}},
	}
}

func unitHas(t *testing.T, lines ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "systemd", "crmsyncd.service"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if !strings.Contains(string(text), "\n"+line+"\n") {
			t.Errorf("crmsyncd.service has no %s", line)
		}
	}
}

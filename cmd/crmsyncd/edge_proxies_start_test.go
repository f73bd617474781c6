package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// exampleFile is a file of examples/edge with other addresses and files in it, each
// of which must be there once.
func exampleFile(t *testing.T, name string, changes map[string]string) string {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("..", "..", "examples", "edge", name))
	if err != nil {
		t.Fatal(err)
	}
	text := string(file)
	for from, to := range changes {
		if strings.Count(text, from) != 1 {
			t.Fatalf("examples/edge/%s is to have %q once", name, from)
		}
		text = strings.Replace(text, from, to, 1)
	}
	return text
}

func keep(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// atProxy starts a proxy and waits until it takes connections; what it says is
// its log.
func atProxy(t *testing.T, cmd *exec.Cmd, front string) *output {
	t.Helper()
	said := &output{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	if err := poll(func() error {
		c, err := tls.Dial("tcp", front, &tls.Config{InsecureSkipVerify: true, ServerName: "hooks.example.com"})
		if err == nil {
			err = c.Close()
		}
		return err
	}); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	return said
}

func nginxBefore(t *testing.T, program, dir, front, listen string) *exec.Cmd {
	t.Helper()
	server := exampleFile(t, "nginx.conf", map[string]string{
		"listen 443 ssl http2;":                                 "listen " + front + " ssl http2;",
		"/etc/letsencrypt/live/hooks.example.com/fullchain.pem": filepath.Join(dir, "cert.pem"),
		"/etc/letsencrypt/live/hooks.example.com/privkey.pem":   filepath.Join(dir, "key.pem"),
		"proxy_pass http://127.0.0.1:8787;":                     "proxy_pass http://" + listen + ";",
		"/var/log/nginx/crmsyncd.log":                           "stderr",
	})
	var paths string
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		paths += fmt.Sprintf("    %s_temp_path %s;\n", what, filepath.Join(dir, "nginx-"+what))
	}
	path := filepath.Join(dir, "nginx.conf")
	keep(t, path, fmt.Sprintf("daemon off;\nworker_processes 1;\npid %s;\nerror_log stderr info;\nevents {}\nhttp {\n%s%s}\n", filepath.Join(dir, "nginx.pid"), paths, server))
	// Its worker gives up root's rights, and must still get through to its files.
	for at := dir; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return exec.Command(program, "-e", "stderr", "-p", dir, "-c", path)
}

func caddyBefore(t *testing.T, program, dir, front, listen string) *exec.Cmd {
	t.Helper()
	path := filepath.Join(dir, "Caddyfile")
	keep(t, path, exampleFile(t, "Caddyfile", map[string]string{
		"\tservers {":                  "\tadmin off\n\tauto_https disable_redirects\n\tservers {",
		"hooks.example.com {":          "https://hooks.example.com:" + front[strings.LastIndex(front, ":")+1:] + " {\n\tbind 127.0.0.1\n\ttls " + filepath.Join(dir, "cert.pem") + " " + filepath.Join(dir, "key.pem"),
		"reverse_proxy 127.0.0.1:8787": "reverse_proxy " + listen,
	}))
	cmd := exec.Command(program, "run", "--adapter", "caddyfile", "--config", path)
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir, "GOMEMLIMIT=256MiB")
	return cmd
}

func traefikBefore(t *testing.T, program, dir, front, listen string) *exec.Cmd {
	t.Helper()
	way, path := filepath.Join(dir, "traefik-crmsyncd.yml"), filepath.Join(dir, "traefik.yml")
	keep(t, way, exampleFile(t, "traefik-crmsyncd.yml", map[string]string{
		"      tls:\n        certResolver: letsencrypt\n": "      tls: {}\n",
		"http://127.0.0.1:8787":                           "http://" + listen,
	})+fmt.Sprintf("tls:\n  certificates:\n    - certFile: %s\n      keyFile: %s\n", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")))
	keep(t, path, exampleFile(t, "traefik.yml", map[string]string{
		"address: \":443\"":                   "address: \"" + front + "\"",
		"/etc/traefik/traefik-crmsyncd.yml":   way,
		"storage: /var/lib/traefik/acme.json": "storage: " + filepath.Join(dir, "acme.json"),
	})+"global: {checkNewVersion: false, sendAnonymousUsage: false}\n")
	cmd := exec.Command(program, "--configFile="+path)
	cmd.Env = append(os.Environ(), "GOMEMLIMIT=256MiB")
	return cmd
}

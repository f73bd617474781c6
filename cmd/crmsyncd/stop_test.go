package main

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSecondSignal/whoever does not want to wait for requests under way says so
// by a second signal; what comes of them is found out after the next start.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		again syscall.Signal
		code  int
		says  string
	}{
		"SIGTERM again":       {syscall.SIGTERM, exitUnexpected, "ended at once by a second signal"},
		"SIGINT":              {syscall.SIGINT, exitUnexpected, "ended at once by a second signal"},
		"SIGKILL, as systemd": {syscall.SIGKILL, -1, ""},
	} {
		t.Run(name+": it ends at once, and nothing is lost or doubled", func(t *testing.T) {
			t.Parallel()
			s := newStruck(t)
			s.drains(time.Minute)
			s.up()
			s.accepts(3)
			if err := settledAt(s.private, 3); err != nil {
				t.Fatal(err)
			}
			// The CRMs take a minute to answer.
			s.fault(`[{"crm": "hubspot", "method": "POST", "latency_ms": 60000}, {"crm": "airtable", "method": "PATCH", "latency_ms": 60000}]`)
			before := len(s.sb.Requests("hubspot")) + len(s.sb.Requests("airtable"))
			s.accepts(5)
			s.until("under way", func() bool { return len(s.sb.Requests("hubspot"))+len(s.sb.Requests("airtable")) > before })
			if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			s.until("stopping", func() bool { return strings.Contains(s.said.String(), "stopping:") })
			began := time.Now()
			if err := s.cmd.Process.Signal(c.again); err != nil {
				t.Fatal(err)
			}
			s.ends(c.code)
			if took := time.Since(began); took > 30*time.Second { // a CRM takes a minute
				t.Errorf("it took %v", took)
			}
			if c.says != "" {
				s.says(c.says)
			}
			s.fault("")
			s.up()
			s.whole()
		})
	}
}

// drains sets how long requests to CRMs under way may take at the end.
func (s *struck) drains(d time.Duration) {
	s.t.Helper()
	s.settings("drain: 5s", "drain: "+d.String())
}

// settings replaces text in config.yaml.
func (s *struck) settings(from, to string) {
	s.t.Helper()
	path := s.dir + "/config.yaml"
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), from) {
		s.t.Fatalf("config.yaml does not hold %q (%v)", from, err)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), from, to)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// fault has the sandbox misbehave, or no more for "".
func (s *struck) fault(list string) {
	s.t.Helper()
	method := http.MethodPost
	if list == "" {
		method = http.MethodDelete
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.crm+"/_/faults", strings.NewReader(list))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		s.t.Fatalf("the sandbox answers %s", resp.Status)
	}
}

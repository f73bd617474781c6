package main

import (
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/doctor"
)

// TestDoctorJudgesTheDaemon is of what scripts cannot bring about quickly; the
// rest is in testdata/script/doctor.txtar.
func TestDoctorJudgesTheDaemon(t *testing.T) {
	t.Parallel()
	now := time.Now()
	fine := admin.Status{Version: version, Running: true, Ready: true, StartedAt: now.Add(-time.Hour)}
	for name, c := range map[string]struct {
		change func(*admin.Status)
		state  doctor.State
		text   string
	}{
		"all well":             {func(*admin.Status) {}, doctor.OK, "daemon: version " + version + " runs"},
		"the disk is full":     {func(s *admin.Status) { s.Ready, s.NotReady = false, "the disk is full" }, doctor.Fail, "daemon: not ready: the disk is full"},
		"upgraded, not begun":  {func(s *admin.Status) { s.Version = "0.9" }, doctor.Warn, "version 0.9 runs, this command is"},
		"a clock that is off":  {func(s *admin.Status) { s.ClockAhead = -600 }, doctor.Fail, "clock: this machine's clock is 10m0s behind"},
		"not understood":       {func(s *admin.Status) { s.Quarantine = 2 }, doctor.Warn, "2 events could not be understood"},
		"paused":               {conn(admin.Connector{State: "paused", Reason: "no answer"}), doctor.Warn, "connector crm: paused: no answer"},
		"parked":               {conn(admin.Connector{State: "parked", Reason: "auth"}), doctor.Fail, "connector crm: parked: auth"},
		"dead":                 {conn(admin.Connector{State: "ok", Dead: 3}), doctor.Warn, "connector crm: 3 dead deliveries"},
		"waiting for long":     {conn(admin.Connector{State: "ok", Waiting: 4, OldestWaiting: now.Add(-3 * time.Hour)}), doctor.Warn, "4 deliveries wait, the oldest for 3h"},
		"a refused reload":     {func(s *admin.Status) { s.Settings.Failure, s.Settings.FailedAt = "x", now }, doctor.Fail, "reload: the last one"},
		"a removed one's dead": {conn(admin.Connector{State: "removed", Dead: 3}), doctor.OK, "daemon: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fine
			c.change(&s)
			found := (&patient{status: s}).daemon()
			hit := false
			for _, f := range found {
				hit = hit || f.State == c.state && strings.HasPrefix(f.About+": "+f.What, c.text) || f.State == c.state && strings.Contains(f.What, c.text)
				if (f.State == doctor.OK) != (f.Mend == "") {
					t.Errorf("%+v: want a mend where it is not ok, and only there", f)
				}
				if c.state == doctor.OK && f.State != doctor.OK {
					t.Errorf("%+v: want nothing but ok", f)
				}
			}
			if !hit {
				t.Errorf("got %+v, want %s %q", found, c.state, c.text)
			}
		})
	}
}

func conn(c admin.Connector) func(*admin.Status) {
	c.Name = "crm"
	return func(s *admin.Status) { s.Connectors = []admin.Connector{c} }
}

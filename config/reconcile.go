package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// Reconcile says when vendor, ledger and CRM are compared, and what is done
// about what differs.
type Reconcile struct {
	Schedule       Schedule                      `yaml:"schedule" doc:"when, as cron writes it (minute hour day month weekday), such as 15 * * * *; or @hourly, @daily, @every 30m; default off: only by the command"`
	Timezone       Timezone                      `yaml:"timezone" doc:"time zone of the schedules; default: defaults.timezone"`
	Jitter         time.Duration                 `yaml:"jitter" doc:"a run begins up to this much later, so that not all of the world asks at once; default 1m"`
	Overlap        time.Duration                 `yaml:"overlap" doc:"how much of the time before the last run is looked at again; default 2h"`
	FullEvery      time.Duration                 `yaml:"full_every" doc:"how often all contacts are looked at, also those that are closed and did not change, a part with each run; default 7d; 0 is never"`
	RequestsPerRun int                           `yaml:"requests_per_run" doc:"requests to one CRM, or one vendor, in one run at most; default 2000"`
	RequestsPerDay int                           `yaml:"requests_per_day" doc:"requests to one CRM in a day (UTC) at most; default 10000"`
	OnEdit         OnEdit                        `yaml:"on_edit" doc:"what to do where a person changed in the CRM what was written: keep (and report) or ours; default keep"`
	OnMissing      OnMissing                     `yaml:"on_missing" doc:"what to do where the CRM has a record no more: report, recreate or forget; default report"`
	Sources        map[string]ReconcileSource    `yaml:"sources" doc:"what is otherwise for a source, by its name"`
	Connectors     map[string]ReconcileConnector `yaml:"connectors" doc:"what is otherwise for a connector, by its name"`
	Zone           *time.Location                `yaml:"-"` // of Timezone, never nil
}

// ReconcileSource is what is otherwise for one source.
type ReconcileSource struct {
	Schedule Schedule `yaml:"schedule" doc:"when its vendor is asked; default: reconcile.schedule"`
}

// ReconcileConnector is what is otherwise for one connector; zero fields are as
// for all.
type ReconcileConnector struct {
	Schedule       Schedule  `yaml:"schedule" doc:"when its CRM is compared; default: reconcile.schedule"`
	RequestsPerRun int       `yaml:"requests_per_run" doc:"requests in one run at most"`
	RequestsPerDay int       `yaml:"requests_per_day" doc:"requests in a day (UTC) at most"`
	OnEdit         OnEdit    `yaml:"on_edit" doc:"keep or ours"`
	OnMissing      OnMissing `yaml:"on_missing" doc:"report, recreate or forget"`
}

// OnEdit says what counts where a person changed a field.
type OnEdit string

// OnMissing says what to do about a record that is gone.
type OnMissing string

var (
	onEdits    = []string{"keep", "ours"}
	onMissings = []string{"report", "recreate", "forget"}
)

// UnmarshalNode implements diag.Unmarshaler.
func (o *OnEdit) UnmarshalNode(n *diag.Node) diag.Problems { return oneOf(n, (*string)(o), onEdits) }

// UnmarshalNode implements diag.Unmarshaler.
func (o *OnMissing) UnmarshalNode(n *diag.Node) diag.Problems {
	return oneOf(n, (*string)(o), onMissings)
}

// OfSource is the schedule of a source.
func (r Reconcile) OfSource(name string) Schedule {
	if s := r.Sources[name].Schedule; s.Said() {
		return s
	}
	return r.Schedule
}

// OfConnector is what counts for a connector, nothing of it zero but the
// schedule.
func (r Reconcile) OfConnector(name string) ReconcileConnector {
	c := r.Connectors[name]
	if !c.Schedule.Said() {
		c.Schedule = r.Schedule
	}
	if c.RequestsPerRun == 0 {
		c.RequestsPerRun = r.RequestsPerRun
	}
	if c.RequestsPerDay == 0 {
		c.RequestsPerDay = r.RequestsPerDay
	}
	if c.OnEdit == "" {
		c.OnEdit = r.OnEdit
	}
	if c.OnMissing == "" {
		c.OnMissing = r.OnMissing
	}
	return c
}

// check finds what single values do not show.
func (r Reconcile) check(root *diag.Node, sources, connectors []Block) (ps diag.Problems) {
	n := root.Get("reconcile")
	known := func(key string, blocks []Block) {
		of := n.Get(key)
		if of == nil {
			return
		}
		var names []string
		for _, b := range blocks {
			names = append(names, b.Name)
		}
		for _, p := range of.Pairs {
			if !slices.Contains(names, p.Key.Value) {
				hint := diag.DidYouMean(p.Key.Value, names)
				if hint == "" {
					hint = "there are " + strings.Join(names, ", ")
				}
				ps = append(ps, p.Key.Problem(fmt.Sprintf("no %s is called %q", strings.TrimSuffix(key, "s"), p.Key.Value), hint))
			}
			for _, budget := range []string{"requests_per_run", "requests_per_day"} {
				if b := p.Value.Get(budget); b != nil && strings.HasPrefix(b.Value, "-") {
					ps = append(ps, b.Problem("wants at least 1", ""))
				}
			}
		}
	}
	known("sources", sources)
	known("connectors", connectors)
	for _, c := range []struct {
		key     string
		wrong   bool
		message string
	}{
		{"jitter", r.Jitter < 0 || r.Jitter > 24*time.Hour, "wants 0s to 24h"},
		{"overlap", r.Overlap < 0 || r.Overlap > 31*day, "wants 0s to 31d"},
		{"full_every", r.FullEvery < 0 || r.FullEvery > 0 && r.FullEvery < time.Hour, "wants at least 1h, or 0 for never"},
		{"requests_per_run", r.RequestsPerRun < 1, "wants at least 1"},
		{"requests_per_day", r.RequestsPerDay < 1, "wants at least 1"},
	} {
		if v := n.Get(c.key); c.wrong && v != nil {
			ps = append(ps, v.Problem(c.message, ""))
		}
	}
	return ps
}

package web

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// words are what templates say things with.
var words = template.FuncMap{
	"ago": ago, "in": in, "bytes": size, "plural": plural, "link": link, "masked": masked, "kind": kind, "join": strings.Join,
	"took": took, "utc": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" },
	"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"later": later, "counted": counted, "num": number, "rules": rules, "eventOf": eventOf,
	"first": func(on []string) []string { return on[:min(len(on), shownOn)] },
	"more":  func(on []string) int { return max(len(on)-shownOn, 0) },
	"dict": func(pairs ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i+1 < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		return m
	},
}

// ago tells a time as people look at it.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return span(now.Sub(t)) + " ago"
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// counted says since when webhooks of the last hour are counted.
func counted(s admin.Status, now time.Time) string {
	if since := s.CountedSince(now); !since.IsZero() {
		return "since the start " + ago(since, now)
	}
	return "last hour"
}

// in tells how long it is until a time.
func in(t, now time.Time) string {
	if !t.After(now) {
		return "now"
	}
	return "in " + span(t.Sub(now))
}

// span is a length of time by its two largest units.
func span(d time.Duration) string {
	s := int(max(d, 0) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min", s/60)
	case s < 48*3600:
		return strings.TrimSuffix(fmt.Sprintf("%d h %d min", s/3600, s/60%60), " 0 min")
	}
	return fmt.Sprintf("%d days", s/86400)
}

func took(r store.Run) string {
	if r.EndedAt.IsZero() {
		return ""
	}
	return r.EndedAt.Sub(r.BeganAt).Round(100 * time.Millisecond).String()
}

// size is a number of bytes for people.
func size(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	x, i := float64(n), 0
	for x >= 1024 && i < len(units)-1 {
		x, i = x/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64) + " " + units[i]
}

// number writes a whole number with its thousands apart.
func number(n any) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

func plural(n int, one string) string {
	switch {
	case n == 1:
		return "1 " + one
	case strings.HasSuffix(one, "y"):
		return number(n) + " " + strings.TrimSuffix(one, "y") + "ies"
	}
	return number(n) + " " + one + "s"
}

// link is an address that may be followed, or "": of a record in a CRM.
func link(address string) string {
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return address
}

func masked(s string, shown bool) string {
	if s == "" || shown {
		return s
	}
	return mapping.Masked
}

// kind is how good a state is, for its colour: the word itself stands beside it.
func kind(state any) string {
	switch fmt.Sprint(state) {
	case "ok", "done", "ready":
		return "good"
	case "waiting", "paused", "running", "stopped", "warn", "quarantined":
		return "doubt"
	case "dead", "parked", "failed", "FAIL", "not ready":
		return "bad"
	}
	return "plain"
}

// shownOn are the ids that the audit trail shows of an entry.
const shownOn = 5

// eventOf is the event of an id in the audit trail; "" of anything else.
func eventOf(on string) string {
	ev, _, _ := strings.Cut(on, ".")
	if _, err := store.ParseEventID(ev); err != nil || !strings.HasPrefix(ev, "evt_") {
		return ""
	}
	return ev
}

// rules names the rules of records, each once.
func rules(records []store.Record) string {
	var names []string
	for _, r := range records {
		if r.Rule != "" && !slices.Contains(names, r.Rule) {
			names = append(names, r.Rule)
		}
	}
	if names == nil {
		return ""
	}
	return "by rule “" + strings.Join(names, "”, “") + "”"
}

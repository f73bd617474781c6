package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/sources"
)

const (
	dayHours   = 24
	daySenders = 16
	dayPeople  = 96                     // further contacts each hour
	dayCalm    = 300 * time.Millisecond // after an hour's events, before it is measured
	dayMost    = 25 * time.Minute       // for the whole day, on a busy machine
)

// The ledger keeps the ids of the newest events in memory (docs/decisions, 0006):
// two of an event, so many bytes each in a table that grows by doubling, until it
// is full and moves into the index. A day fills it, and that is no growth without end.
const (
	dayIDs    = 200      // bytes of an event's
	dayIDsMax = 15 << 20 // of all
)

// daySizes are what must not grow over a day, and by how much they may differ
// for other reasons: collected garbage, connections that are kept or not.
var daySizes = []struct {
	name    string
	unit    float64
	atLeast float64 // a rise below it is none; nor is one below a tenth
}{
	{"live heap", 1 << 20, 2},
	{"memory", 1 << 20, 16}, // pages go back to the system when it comes to it
	{"open files", 1, 16},
	{"goroutines", 1, 32},
}

// TestADayWithoutGrowth has a real daemon take DAY events in twenty-four equal
// hours, as fast as it goes, with all five kinds of connectors and a reload in
// each hour. Its memory, open files and goroutines must not grow from morning to
// evening. BIN is the daemon; without it the test itself is.
func TestADayWithoutGrowth(t *testing.T) {
	events, err := strconv.Atoi(os.Getenv("DAY"))
	if err != nil || events < dayHours*daySenders {
		t.Skip("DAY is not set to a number of events such as 10000")
	}
	s := newSoak(t, soakSeed(t), soakOptions{bin: os.Getenv("BIN"), quick: true, lag: 50 * time.Millisecond})
	s.start()
	defer func() { _ = s.p.cmd.Process.Kill() }()
	if _, err := readyAt(s.private); err != nil {
		t.Fatal(err)
	}
	client := admin.NewClient(s.private) // one, as each keeps a connection
	day := map[string][]float64{}
	began := time.Now()
	for hour := 1; hour <= dayHours; hour++ {
		if time.Since(began) > dayMost {
			t.Fatalf("it is %d o'clock after %v; try a smaller DAY", hour, dayMost)
		}
		s.meet(dayPeople)
		s.anHour(hour, events/dayHours/daySenders)
		s.reload()
		if err := poll(s.settled(client)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(dayCalm)
		now := s.sizes()
		line := fmt.Sprintf("%2d o'clock: %6d events", hour, s.sent())
		for _, size := range daySizes {
			day[size.name] = append(day[size.name], now[size.name])
			line += fmt.Sprintf(", %s %.1f", size.name, now[size.name]/size.unit)
		}
		t.Logf("%s; with the mapped ledger %.0f MiB, on disk %.0f MiB", line, now["mapped"]/(1<<20), now["ledger"]/(1<<20))
	}
	for _, size := range daySizes {
		atLeast := size.atLeast * size.unit
		if size.name == "live heap" {
			atLeast += min(dayIDsMax, dayIDs*float64(s.sent())*3/4) // grown leaves out the first quarter
		}
		morning, evening, grew := grown(day[size.name], atLeast)
		t.Logf("%s: %.1f in the morning, %.1f in the evening", size.name, morning/size.unit, evening/size.unit)
		if grew {
			t.Errorf("%s grew", size.name)
		}
	}
	if got := s.check(); got.losses+got.duplicates+got.disorders > 0 {
		t.Error(got)
	}
	s.stop(syscall.SIGTERM)
	t.Logf("%d events and %d reloads in %v", s.sent(), s.reloads, time.Since(began).Round(time.Second))
}

// anHour has every sender send its share of an hour's events.
func (s *soak) anHour(hour, each int) {
	var all sync.WaitGroup
	for i := range daySenders {
		all.Go(func() {
			r := rand.New(rand.NewPCG(s.seed, uint64(hour*100+i)))
			for range each {
				p := s.people[r.IntN(len(s.people)/daySenders)*daySenders+i]
				o := p.next(r)
				body, err := s.src.(sources.Sampler).Sample(o.kind, p.n, o.at)
				if err == nil {
					err = o.read(body)
				}
				if err != nil {
					s.t.Error(err)
					return
				}
				p.events = append(p.events, o)
				s.acknowledge(o, body, fmt.Sprintf("msg_%d_%d", p.n, o.at.Unix()))
			}
		})
	}
	all.Wait()
}

// settled tells what still waits.
func (s *soak) settled(client *admin.Client) func() error {
	return func() error {
		st, err := client.Status(s.t.Context())
		if err != nil {
			return err
		}
		if want := uint64(s.sent()); st.Events < want || st.Unplanned > 0 {
			return fmt.Errorf("%d events, %d unplanned; want %d", st.Events, st.Unplanned, want)
		}
		for _, c := range st.Connectors {
			if c.Waiting > 0 {
				return fmt.Errorf("%d deliveries to %s wait: %s %s", c.Waiting, c.Name, c.State, c.Reason)
			}
		}
		return nil
	}
}

// sizes reads of the daemon's metrics and process what may grow.
func (s *soak) sizes() map[string]float64 {
	// What was in use at the last collection is the live heap, unless that fell
	// into the work: two collections later it did not. Asking makes garbage.
	metrics := s.metrics()
	for calm := metrics["go_gc_duration_seconds_count"] + 2; metrics["go_gc_duration_seconds_count"] < calm; metrics = s.metrics() {
		if err := s.t.Context().Err(); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, name := range []string{"go_memstats_next_gc_bytes", "go_gc_gogc_percent", "go_goroutines", "process_open_fds"} {
		if metrics[name] == 0 {
			s.t.Fatalf("/metrics has no %s", name)
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.p.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	kb := map[string]float64{}
	for line := range strings.Lines(string(status)) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			kb[name], _ = strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		}
	}
	ledger, err := os.Stat(filepath.Join(s.p.dir, "data", "ledger.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	return map[string]float64{
		"live heap":  metrics["go_memstats_next_gc_bytes"] / (1 + metrics["go_gc_gogc_percent"]/100),
		"memory":     kb["RssAnon"] * 1024,
		"mapped":     kb["VmRSS"] * 1024,
		"open files": metrics["process_open_fds"],
		"goroutines": metrics["go_goroutines"],
		"ledger":     float64(ledger.Size()),
	}
}

// metrics asks the daemon for its metrics without labels.
func (s *soak) metrics() map[string]float64 {
	metrics := map[string]float64{}
	for line := range strings.Lines(scrape(s.t, strings.TrimPrefix(s.private, "unix:"))) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
			metrics[name], _ = strconv.ParseFloat(value, 64)
		}
	}
	return metrics
}

// grown compares the least of a day's morning with the least of its evening: what
// comes and goes is above it, what stays lifts it. The first quarter of the
// samples does not count: by then everything was used once. A rise counts from
// atLeast, and from a tenth of the morning's.
func grown(samples []float64, atLeast float64) (morning, evening float64, grew bool) {
	samples = samples[len(samples)/4:]
	third := len(samples) / 3
	morning, evening = slices.Min(samples[:third]), slices.Min(samples[len(samples)-third:])
	return morning, evening, evening-morning > max(atLeast, morning/10)
}

func TestGrown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		of   func(hour int) float64
		want bool
	}{
		{"nothing happens", func(int) float64 { return 20 }, false},
		{"garbage comes and goes", func(h int) float64 { return 20 + float64(h*7%11) }, false},
		{"it warms up and stays", func(h int) float64 { return 20 + float64(min(h, 5)*4) }, false},
		{"one more each hour", func(h int) float64 { return 20 + float64(h) }, true},
		{"it leaks under garbage", func(h int) float64 { return 20 + float64(h*7%11) + float64(h) }, true},
		{"a tenth of much", func(h int) float64 { return 1000 + float64(h)*3 }, false},
	} {
		var samples []float64
		for h := range dayHours {
			samples = append(samples, c.of(h))
		}
		if morning, evening, got := grown(samples, 8); got != c.want {
			t.Errorf("%s: %v in the morning, %v in the evening: grew is %v, want %v", c.name, morning, evening, got, c.want)
		}
	}
}

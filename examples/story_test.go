package examples_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/examples"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// story takes events through an example's mapping into a CRM.
type story struct {
	t      *testing.T
	ledger store.Ledger
	d      *deliver.Deliverer
	n      int
}

// tell starts a story of one connector with an example's rules.
func tell(t *testing.T, example, connector, kind string, c connectors.Connector) *story {
	t.Helper()
	text, err := examples.FS.ReadFile(example + "/mapping.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return tellBy(t, text, connector, kind, c)
}

// tellBy is tell with rules of its own.
func tellBy(t *testing.T, text []byte, connector, kind string, c connectors.Connector) *story {
	t.Helper()
	rules, problems := mapping.Read([]mapping.File{{Name: "mapping.yaml", Text: text}}, mapping.Options{
		Sources: []string{"telli"}, Connectors: map[string]string{connector: kind}, Country: "DE",
	})
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	ledger, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "ledger.db"), Init: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := &story{t: t, ledger: ledger}
	s.d = deliver.New(deliver.Options{Ledger: ledger, Log: slog.New(slog.DiscardHandler), Setup: deliver.Setup{
		Rules: rules, Connectors: map[string]deliver.Target{connector: {Connector: c, Wave: 100}},
		Parse: func(e store.Event) (*event.Event, error) {
			var ev event.Event
			err := json.Unmarshal(e.Body, &ev)
			return &ev, err
		},
	}})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { s.d.Run(ctx, time.Second); close(ended) }()
	t.Cleanup(func() {
		stop()
		<-ended
		ledger.Close()
	})
	return s
}

// happens appends an event and waits until it was delivered; the deliveries
// must end as wanted.
func (s *story) happens(ev event.Event, want store.State) store.Delivery {
	s.t.Helper()
	s.n++
	ev.Source = "telli"
	if ev.OccurredAt.IsZero() {
		ev.OccurredAt = time.Date(2026, 11, 21, 10, s.n, 0, 0, time.UTC)
	}
	body, err := json.Marshal(ev)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := s.ledger.Append(s.t.Context(), store.Event{Source: "telli", Vendor: "telli", Type: ev.Type, OccurredAt: ev.OccurredAt, ReceivedAt: time.Now(), Rank: ev.Rank(), Lane: ev.Lane(), Body: body})
	if err != nil {
		s.t.Fatal(err)
	}
	s.d.Wake()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		v, err := s.ledger.Event(s.t.Context(), r.Seq)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(v.Deliveries) == 1 && v.Deliveries[0].State != store.Waiting {
			if d := v.Deliveries[0]; d.State != want {
				s.t.Fatalf("event %d is %s (%s), want %s", s.n, d.State, d.Reason, want)
			}
			return v.Deliveries[0]
		}
	}
	s.t.Fatalf("event %d was not delivered in time", s.n)
	return store.Delivery{}
}

package app

import (
	"context"
	"path/filepath"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/internal/live"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

// keeping answers what the desk asks about rules, for looking after the ledger.
type keeping struct {
	ledger store.Ledger
	setup  func() *Setup
}

func (k keeping) plan(ctx context.Context, ev *event.Event, v store.View) ([]admin.PreviewRecord, error) {
	s := k.setup()
	previews, err := deliver.PreviewOf(ctx, k.ledger, s.planner(), s.spellings(live.Known(s.Settings.DataDir)), ev, v)
	if err != nil {
		return nil, err
	}
	out := make([]admin.PreviewRecord, len(previews))
	for i, p := range previews {
		out[i] = admin.PreviewRecord{Connector: p.Connector, Rule: p.Rule, Object: p.Object, ID: p.ID, Skip: p.Skip, Shadow: p.Shadow, Fields: []admin.PreviewField{}}
		for _, f := range p.Fields {
			out[i].Fields = append(out[i].Fields, admin.PreviewField{Name: f.Name, Value: f.Value, If: f.If, Effect: string(f.Effect)})
		}
	}
	return out, nil
}

func (k keeping) traces(v store.View) ([]store.LinkKey, []store.RecordKey) {
	ev, err := reader{k.setup(), k.ledger}.Parse(v.Event)
	if err != nil {
		ev = &event.Event{Type: v.Event.Type, Source: v.Event.Source} // then its deliveries name what they do
	}
	return deliver.TracesOf(k.setup().planner(), ev, v)
}

func (k keeping) phone(raw string) string {
	return sources.Phone(raw, k.setup().Settings.Defaults.Country)
}

// copies are files that commands on the ledger left beside it.
func (k keeping) copies() []string {
	found, err := filepath.Glob(globSafe(filepath.Join(k.setup().Settings.DataDir, LedgerFile)) + ".*")
	if err != nil {
		return nil
	}
	return found
}

package deliver

import (
	"errors"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

// traces are those of the events of a group.
func (g *group) traces() []event.Trace {
	out := make([]event.Trace, len(g.items))
	for i, it := range g.items {
		out[i] = it.job.trace
	}
	return out
}

// traces are those of the events that updates are about; none where no spans
// are recorded.
func (w *wave) traces(updates []store.Update) (out []event.Trace) {
	if w.t.d.spans == nil {
		return nil
	}
	about := map[store.DeliveryID]bool{}
	for _, u := range updates {
		about[u.Delivery.ID] = true
	}
	for _, j := range w.jobs {
		if about[j.d.ID] {
			out = append(out, j.trace)
		}
	}
	return out
}

// failedBy names an error for a span, in a word of a fixed set.
func failedBy(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*connectors.Error](err); ok {
		return e.Kind.String()
	}
	return "_OTHER" // as OpenTelemetry calls the rest
}

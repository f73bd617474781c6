package deliver

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// tell logs those of the deliveries that are done, a line each: where an
// event's story at a CRM ends. Dead ones are told with their reason elsewhere.
func (w *wave) tell(jobs []*job) {
	log := w.t.d.log
	if !log.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	for _, j := range jobs {
		if d := &j.d; d.State == store.Done {
			log.Info("delivered", "source", d.Source, "event", store.EventID(d.ID.Seq), "trace_id", j.trace.String(), "type", d.Type, "connector", w.t.name,
				"attempt", d.Attempts+1, "records", acts(d.Records), "after", w.t.d.clock.now().Sub(j.queue).Round(time.Millisecond).String())
		}
	}
}

// acts names what became of records, as in "contacts updated, calls created".
func acts(records []store.Record) string {
	said := make([]string, len(records))
	for i, r := range records {
		said[i] = r.Object + " " + r.Action
	}
	return strings.Join(said, ", ")
}

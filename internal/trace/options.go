package trace

import (
	"log/slog"
	"time"
)

// Options say where spans go.
type Options struct {
	Endpoint string            // address of the collector; without a path, /v1/traces is added
	Headers  map[string]string // sent with every request to it
	Sample   float64           // part of the traces that is recorded, 0 to 1
	Version  string            // of crmsyncd
	Log      *slog.Logger      // told, once a minute at most, of spans that could not be sent
}

// Webhook is what became of a webhook whose sender was proven.
type Webhook struct {
	Source string // its name
	Event  string // id of the event; "" where none was kept
	Result string // a word of a fixed set, such as accepted
	Status int    // of the answer
	Began  time.Time
	Parsed time.Time // when it was handed to the ledger
	Ended  time.Time
}

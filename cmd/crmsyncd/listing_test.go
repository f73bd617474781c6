package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

// TestListingsGoOnBehindAShortPage: those of one event stay together, so that a
// page may be shorter than was asked for.
func TestListingsGoOnBehindAShortPage(t *testing.T) {
	t.Parallel()
	const events = 1_500 // the newest has one delivery, all others two
	var before uint64
	limit := 10
	l := listing[admin.Delivery]{
		ask: func() (list []admin.Delivery, err error) {
			for seq := uint64(events); seq > 0; seq-- {
				of := []admin.Delivery{{Event: store.EventID(seq)}, {Event: store.EventID(seq)}}
				if seq == events {
					of = of[:1]
				}
				if before > 0 && seq >= before {
					continue
				}
				if len(list) > 0 && len(list)+len(of) > limit {
					break
				}
				list = append(list, of...)
			}
			return list, nil
		},
		event:    func(d admin.Delivery) string { return d.Event },
		table:    func(io.Writer, []admin.Delivery) error { return nil },
		together: true,
	}
	cmd := &cobra.Command{}
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.Flags().Int("limit", 0, "")
	if err := l.print(cmd, false, &before, &limit); err != nil || !strings.Contains(out.String(), "--before evt_1496,") {
		t.Errorf("a page of nine says %q, %v", out.String(), err)
	}
	out.Reset()
	before, limit = 2, 10
	if err := l.print(cmd, false, &before, &limit); err != nil || out.Len() > 0 {
		t.Errorf("the last page says %q, %v", out.String(), err)
	}
	out.Reset()
	before = 0
	var all []admin.Delivery
	if err := l.print(cmd, true, &before, &limit); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out.Bytes(), &all); err != nil || len(all) != 2*events-1 {
		t.Errorf("all are %d deliveries, want %d: %v", len(all), 2*events-1, err)
	}
}

package main

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestTheCSVOfARunHoldsNoFormulas(t *testing.T) {
	t.Parallel()
	bad := []string{"=1+1", "+cmd", "-2", "@SUM(A1)", "\t=1", " =1", "|calc", "%0", "＝1", "\ufeff=1", "a\r\n=1", "\u00a0=1"}
	var found []store.Finding
	for _, s := range bad {
		found = append(found, store.Finding{Kind: "edited", Field: s, Theirs: s})
	}
	var out bytes.Buffer
	if err := writeCSV(&out, admin.RunReport{Run: store.Run{ID: 3, Connector: "hubspot"}, Found: found}); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != len(bad)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, row := range rows[1:] {
		for _, cell := range row {
			if begin := strings.TrimLeft(cell, " \u00a0\ufeff"); begin != "" && strings.ContainsAny(begin[:1], "=+-@|%\t\r\n") || strings.HasPrefix(begin, "＝") || strings.ContainsAny(cell, "\r\n\t") {
				t.Errorf("%q gives the cell %q", bad[i], cell)
			}
		}
	}
	if got := cellText("reached"); got != "reached" {
		t.Errorf("a plain word becomes %q", got)
	}
}

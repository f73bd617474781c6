package sandbox

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// voipgrid emulates VoIPGRID's list of calls, filled through
// POST /_/records/voipgrid/calls. VoIPGRID documents no rate limit.
type voipgrid struct {
	shelf
	opts Options
}

// voipgridTime is how VoIPGRID writes times: without a zone.
const voipgridTime = "2006-01-02T15:04:05"

func newVoipgrid(o Options) *voipgrid {
	return &voipgrid{opts: o, shelf: shelf{key: "id", names: []string{"calls", "cdr"}, next: 900_000_000, now: o.Now, defaults: func(now time.Time) map[string]any {
		at := now.UTC()
		if zone, err := time.LoadLocation("Europe/Amsterdam"); err == nil {
			at = at.In(zone)
		}
		return map[string]any{"amount": 0, "atime": 0, "call_date": at.Format(voipgridTime), "callerid": "", "dialed_number": "", "src_number": "",
			"dst_code": "sip", "dst_account": nil, "direction": "inbound"}
	}}}
}

func (*voipgrid) isBatch(*call) bool { return false }

func (*voipgrid) fault(_ *call, status int, word string) answer {
	if status >= http.StatusInternalServerError {
		return htmlAnswer(status)
	}
	return jsonAnswer(status, map[string]string{"detail": orElse(word, http.StatusText(status))})
}

func (v *voipgrid) answer(c *call) answer {
	user, token, ok := strings.Cut(strings.TrimPrefix(c.header.Get("Authorization"), "Token "), ":")
	want := v.opts.Tokens["voipgrid"]
	if !ok || !strings.HasPrefix(c.header.Get("Authorization"), "Token ") || !strings.Contains(user, "@") || token == "" || want != "" && token != want {
		return jsonAnswer(http.StatusUnauthorized, map[string]string{"detail": "Invalid token."})
	}
	path := strings.Join(c.segments, "/")
	if c.method != http.MethodGet || path != "api/cdr/record" && path != "api/cdr/record/personalized" {
		return jsonAnswer(http.StatusNotFound, map[string]string{"detail": "Not found."})
	}
	limit, ok1 := whole(c, "limit", 20, 1, 1000)
	offset, ok2 := whole(c, "offset", 0, 0, 1<<40)
	after, before := c.query.Get("call_date__gt"), c.query.Get("call_date__lt")
	if !ok1 || !ok2 || !voipgridDate(after) || !voipgridDate(before) {
		return jsonAnswer(http.StatusBadRequest, map[string]string{"detail": "Invalid limit, offset or call_date."})
	}
	found := []map[string]any{}
	for _, row := range v.rows {
		if at, _ := row["call_date"].(string); (after == "" || at > after) && (before == "" || at < before) {
			found = append(found, row)
		}
	}
	slices.SortStableFunc(found, func(a, b map[string]any) int {
		x, _ := a["call_date"].(string)
		y, _ := b["call_date"].(string)
		return strings.Compare(y, x)
	})
	link := func(to int, there bool) any {
		if !there {
			return nil
		}
		q := c.query
		q.Set("offset", strconv.Itoa(max(0, to)))
		return c.path + "/?" + q.Encode()
	}
	return jsonAnswer(http.StatusOK, map[string]any{
		"objects": cutPage(found, offset, limit),
		"meta": map[string]any{"limit": limit, "offset": offset, "total_count": len(found),
			"next": link(offset+limit, offset+limit < len(found)), "previous": link(offset-limit, offset > 0)},
	})
}

// voipgridDate tells whether a filter is a date, with or without a time.
func voipgridDate(s string) bool {
	for _, layout := range []string{voipgridTime, time.DateOnly} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return s == ""
}

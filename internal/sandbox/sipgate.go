package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// sipgate emulates the history of sipgate's REST API, filled through
// POST /_/records/sipgate/history. sipgate documents no rate limit.
type sipgate struct {
	shelf
	opts Options
}

func newSipgate(o Options) *sipgate {
	return &sipgate{opts: o, shelf: shelf{key: "id", names: []string{"history", "calls"}, next: 800_000_000, now: o.Now, defaults: func(now time.Time) map[string]any {
		at := now.UTC().Format(time.RFC3339)
		return map[string]any{"source": "", "target": "", "sourceAlias": "", "targetAlias": "", "type": "CALL", "created": at, "lastModified": at,
			"direction": "INCOMING", "incoming": true, "status": "PICKUP", "connectionIds": []any{"p0"}, "read": true, "archived": false, "note": nil,
			"endpoints": []any{}, "starred": false, "labels": []any{}, "callId": newUUID(), "recordings": []any{}, "duration": 0, "callStatus": "SUCCESS"}
	}}}
}

func (*sipgate) isBatch(*call) bool { return false }

func (*sipgate) fault(_ *call, status int, word string) answer {
	if status >= http.StatusInternalServerError {
		return htmlAnswer(status)
	}
	return jsonAnswer(status, map[string]string{"message": orElse(word, http.StatusText(status))})
}

// admits takes a personal access token by HTTP Basic, or any by OAuth.
func (s *sipgate) admits(c *call) bool {
	header, want := c.header.Get("Authorization"), s.opts.Tokens["sipgate"]
	if strings.HasPrefix(header, "Bearer ") {
		return authorized(c, want, false)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(header, "Basic "))
	id, token, ok := strings.Cut(string(raw), ":")
	return strings.HasPrefix(header, "Basic ") && err == nil && ok && id != "" && token != "" && (want == "" || token == want)
}

func (s *sipgate) answer(c *call) answer {
	path := strings.Join(c.segments, "/")
	switch {
	case !s.admits(c):
		return answer{status: http.StatusUnauthorized}
	case c.method != http.MethodGet || !strings.HasPrefix(path, "v2/history"):
		return jsonAnswer(http.StatusNotFound, map[string]string{"message": "Not Found"})
	case len(c.segments) == 3:
		if row := s.find(c.segments[2]); row != nil {
			return jsonAnswer(http.StatusOK, sipgateEntry(row))
		}
		return jsonAnswer(http.StatusNotFound, map[string]string{"message": "Not Found"})
	case path != "v2/history":
		return jsonAnswer(http.StatusNotFound, map[string]string{"message": "Not Found"})
	}
	limit, ok1 := whole(c, "limit", 10, 1, 5000)
	offset, ok2 := whole(c, "offset", 0, 0, 1<<40)
	from, ok3 := sipgateTime(c.query.Get("from"))
	to, ok4 := sipgateTime(c.query.Get("to"))
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return jsonAnswer(http.StatusBadRequest, map[string]string{"message": "limit, offset, from or to is not valid"})
	}
	found := []map[string]any{}
	for _, row := range s.rows {
		created, _ := row["created"].(string)
		at, _ := time.Parse(time.RFC3339, created)
		number := c.query.Get("phonenumber")
		if sipgateHas(c, "types", row["type"]) && sipgateHas(c, "directions", row["direction"]) &&
			(from.IsZero() || !at.Before(from)) && (to.IsZero() || !at.After(to)) && (number == "" || row["source"] == number || row["target"] == number) {
			found = append(found, row)
		}
	}
	slices.SortStableFunc(found, func(a, b map[string]any) int {
		x, _ := a["created"].(string)
		y, _ := b["created"].(string)
		return strings.Compare(y, x)
	})
	items := []map[string]any{}
	for _, row := range cutPage(found, offset, limit) {
		items = append(items, sipgateEntry(row))
	}
	return jsonAnswer(http.StatusOK, map[string]any{"items": items, "totalCount": len(found)})
}

// sipgateEntry is an entry as it is sent: ids are text.
func sipgateEntry(row map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range row {
		if n, ok := v.(json.Number); ok && (k == "id" || k == "callId") {
			v = n.String()
		}
		out[k] = v
	}
	return out
}

func sipgateTime(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, true
	}
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}

// sipgateHas tells whether a filter that may be given several times, or as a
// list with commas, takes a value.
func sipgateHas(c *call, name string, value any) bool {
	var wanted []string
	for _, v := range c.query[name] {
		wanted = append(wanted, strings.Split(v, ",")...)
	}
	text, _ := value.(string)
	return len(wanted) == 0 || slices.Contains(wanted, text)
}

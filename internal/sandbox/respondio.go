package sandbox

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// respondio emulates the read side of respond.io's developer API, version 2,
// filled through POST /_/records/respondio/contacts. Its limit of requests is
// not published; the sandbox takes 300 in a minute.
type respondio struct {
	shelf
	opts  Options
	limit window
}

const (
	respondioPerMinute = 300
	respondioMinutes   = "2006-01-02 15:04"
)

func newRespondio(o Options) *respondio {
	return &respondio{
		opts:  o,
		limit: window{span: time.Minute, limit: respondioPerMinute},
		shelf: shelf{key: "id", names: []string{"contacts"}, next: 700_100_000, now: o.Now, defaults: func(now time.Time) map[string]any {
			return map[string]any{"firstName": "", "lastName": nil, "phone": nil, "email": nil, "language": nil, "profilePic": nil, "countryCode": nil,
				"status": "open", "assignee": nil, "lifecycle": nil, "created_at": json.Number(strconv.FormatInt(now.Unix(), 10)),
				"locale": nil, "isBlocked": false, "tags": []any{}, "custom_fields": []any{}}
		}},
	}
}

func (*respondio) isBatch(*call) bool { return false }

func (r *respondio) reset() {
	r.shelf.reset()
	r.limit.calls = nil
}

func respondioError(status int, message string) answer {
	return jsonAnswer(status, map[string]any{"code": status, "message": message})
}

func (*respondio) fault(_ *call, status int, word string) answer {
	if status == http.StatusBadGateway || status == http.StatusGatewayTimeout {
		return htmlAnswer(status)
	}
	return respondioError(status, orElse(word, http.StatusText(status)))
}

func (r *respondio) answer(c *call) answer {
	if !authorized(c, r.opts.Tokens["respondio"], false) {
		return respondioError(http.StatusUnauthorized, "Unauthorized")
	}
	if !r.opts.Unlimited && !r.limit.take(c.now) {
		a := respondioError(http.StatusTooManyRequests, "Too Many Requests")
		wait := r.limit.span - c.now.Sub(r.limit.calls[0])
		a.header = http.Header{"Retry-After": {strconv.Itoa(int(wait/time.Second) + 1)}}
		return a
	}
	seg := c.segments
	if len(seg) > 0 && seg[0] == "v2" { // part of the vendor's usual base address
		seg = seg[1:]
	}
	switch route := c.method + " " + strings.Join(seg[:min(2, len(seg))], "/"); {
	case route == "GET space/user" && len(seg) == 2:
		return jsonAnswer(http.StatusOK, map[string]any{"items": []any{}, "pagination": map[string]any{"next": nil}})
	case route == "POST contact/list" && len(seg) == 2:
		return r.list(c)
	case len(seg) == 2 && c.method == http.MethodGet && seg[0] == "contact":
		return r.one(seg[1])
	}
	return respondioError(http.StatusNotFound, "Not Found")
}

// one finds a contact by id:…, email:… or phone:….
func (r *respondio) one(identifier string) answer {
	kind, value, _ := strings.Cut(identifier, ":")
	field := map[string]string{"id": "id", "email": "email", "phone": "phone"}[kind]
	if field == "" || value == "" {
		return respondioError(http.StatusBadRequest, "identifier must be id:, email: or phone:")
	}
	for _, row := range r.rows {
		if plainText(row[field]) == value {
			return jsonAnswer(http.StatusOK, row)
		}
	}
	return respondioError(http.StatusNotFound, "Contact not found")
}

// respondioFilter is the body of a list; all three keys are needed.
type respondioFilter struct {
	Search   *string `json:"search"`
	Timezone *string `json:"timezone"`
	Filter   *struct {
		And []struct {
			Category string          `json:"category"`
			Field    string          `json:"field"`
			Operator string          `json:"operator"`
			Value    json.RawMessage `json:"value"`
		} `json:"$and"`
	} `json:"filter"`
}

func (r *respondio) list(c *call) answer {
	var in respondioFilter
	if err := json.Unmarshal(c.body, &in); err != nil || in.Search == nil || in.Timezone == nil || in.Filter == nil {
		return respondioError(http.StatusBadRequest, "search, timezone and filter are required")
	}
	zone, err := time.LoadLocation(*in.Timezone)
	limit, ok := whole(c, "limit", 10, 1, 100)
	cursor, ok2 := whole(c, "cursorId", 0, 0, 1<<53)
	if err != nil || !ok || !ok2 {
		return respondioError(http.StatusBadRequest, "timezone, limit or cursorId is not valid")
	}
	var from, until time.Time
	for _, cond := range in.Filter.And {
		var between struct{ From, To string }
		if cond.Category != "contactField" || cond.Field != "createdAt" || cond.Operator != "isTimestampBetween" || json.Unmarshal(cond.Value, &between) != nil {
			return respondioError(http.StatusBadRequest, "only contactField createdAt isTimestampBetween is emulated")
		}
		var err1, err2 error
		from, err1 = time.ParseInLocation(respondioMinutes, between.From, zone)
		until, err2 = time.ParseInLocation(respondioMinutes, between.To, zone)
		if err1 != nil || err2 != nil {
			return respondioError(http.StatusBadRequest, "times are written YYYY-MM-DD HH:MM")
		}
	}
	found := []map[string]any{}
	for _, row := range r.rows {
		at := time.Unix(int64(number(row["created_at"])), 0)
		if int(number(row["id"])) > cursor && (until.IsZero() || !at.Before(from) && !at.After(until)) {
			found = append(found, row)
		}
	}
	slices.SortStableFunc(found, func(a, b map[string]any) int { return cmp.Compare(number(a["id"]), number(b["id"])) })
	items := []map[string]any{}
	for _, row := range cutPage(found, 0, limit) {
		items = append(items, only(row, "id", "firstName", "lastName", "phone", "email", "language", "profilePic", "countryCode", "status", "assignee", "lifecycle", "created_at"))
	}
	page := map[string]any{"next": nil}
	if len(found) > limit {
		q := url.Values{"limit": {strconv.Itoa(limit)}, "cursorId": {plainText(items[limit-1]["id"])}}
		page["next"] = "https://api.respond.io/v2/contact/list?" + q.Encode()
	}
	return jsonAnswer(http.StatusOK, map[string]any{"items": items, "pagination": page})
}

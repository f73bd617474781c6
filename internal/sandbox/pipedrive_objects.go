package sandbox

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// objectPaths serves the list and the records of an object.
func (p *pipedrive) objectPaths(c *call, o *pdObject, rest []string) answer {
	if len(rest) == 2 && o.name == "callLogs" && rest[1] == "recordings" {
		if c.method != http.MethodPost {
			return pdWrongMethod().answer()
		}
		return p.attach(c, o, rest[0])
	}
	if len(rest) > 1 {
		return pdUnknownPath().answer()
	}
	if len(rest) == 0 {
		switch c.method {
		case http.MethodGet:
			return p.list(c, o)
		case http.MethodPost:
			return p.add(c, o)
		}
		return pdWrongMethod().answer()
	}
	if c.method != http.MethodGet && c.method != http.MethodDelete && (c.method != o.update || o.update == "") {
		return pdWrongMethod().answer()
	}
	r := o.byID[rest[0]]
	if r == nil {
		return pdError(http.StatusNotFound, "%s not found", o.single).answer()
	}
	switch {
	case c.method == http.MethodGet:
		if r.deleted && o.version == "v1" && o.name != "notes" {
			return pdError(http.StatusNotFound, "%s not found", o.single).answer()
		}
		return pdData(http.StatusOK, p.shown(r), nil)
	case c.method == o.update && o.update != "":
		if r.deleted {
			return pdError(http.StatusGone, "%s was deleted", o.single).answer()
		}
		body, e := pdDecode(c)
		if e == nil && o.name == "leads" && body["origin_id"] != nil {
			e = pdInvalid("Validation failed: 'origin_id' is not allowed")
		}
		if e == nil {
			e = p.change(r, body, c.now)
		}
		if e != nil {
			return e.answer()
		}
		return pdData(http.StatusOK, p.shown(r), nil)
	case c.method == http.MethodDelete:
		r.deleted, r.updated = true, c.now
		var id any = json.Number(r.id)
		if o.name == "leads" || o.name == "callLogs" {
			id = r.id
		}
		switch o.name {
		case "notes":
			return pdData(http.StatusOK, true, nil)
		case "callLogs":
			return jsonAnswer(http.StatusOK, map[string]any{"success": true})
		}
		return pdData(http.StatusOK, map[string]any{"id": id}, nil)
	}
	return pdWrongMethod().answer()
}

func (p *pipedrive) add(c *call, o *pdObject) answer {
	body, e := pdDecode(c)
	if e == nil && o.name == "leads" && body["is_archived"] != nil {
		e = pdInvalid("Validation failed: 'is_archived' is not allowed")
	}
	if e != nil {
		return e.answer()
	}
	r, e := p.insert(o, body, c.now)
	if e != nil {
		return e.answer()
	}
	status := http.StatusOK // which the document says, but for leads
	if o.name == "leads" {
		status = http.StatusCreated
	}
	return pdData(status, p.shown(r), nil)
}

// attach takes a recording, once.
func (p *pipedrive) attach(c *call, o *pdObject, id string) answer {
	r := o.byID[id]
	switch {
	case r == nil || r.deleted:
		return pdError(http.StatusNotFound, "Call log not found").answer()
	case r.recorded:
		return pdError(http.StatusConflict, "A recording is attached already").answer()
	case !strings.HasPrefix(c.header.Get("Content-Type"), "multipart/form-data"):
		return pdError(http.StatusUnsupportedMediaType, "Unsupported Media Type").answer()
	}
	audio, e := pdAudio(c)
	if e != nil {
		return e.answer()
	}
	r.recorded, r.audio = true, audio
	return jsonAnswer(http.StatusOK, map[string]any{"success": true})
}

// pdFilters are the query's names that lists know, by version and object.
func pdFilters(o *pdObject) []string {
	if o.version == "v2" {
		names := []string{"filter_id", "ids", "owner_id", "org_id", "deal_id", "updated_since", "updated_until", "sort_by", "sort_direction", "include_fields",
			"custom_fields", "include_option_labels", "include_labels", "limit", "cursor", "api_token"}
		switch o.name {
		case "activities":
			names = append(names, "person_id", "lead_id", "done")
		case "deals":
			names = append(names, "person_id", "pipeline_id", "stage_id", "status")
		}
		return names
	}
	names := []string{"start", "limit", "api_token"}
	switch o.name {
	case "leads":
		names = append(names, "owner_id", "person_id", "organization_id", "filter_id", "updated_since", "sort")
	case "notes":
		names = append(names, "user_id", "lead_id", "deal_id", "person_id", "org_id", "sort", "start_date", "end_date", "updated_since")
	}
	return names
}

// list serves a page of records that are not deleted.
func (p *pipedrive) list(c *call, o *pdObject) answer {
	known := pdFilters(o)
	for name := range c.query {
		if !slices.Contains(known, name) || name == "filter_id" {
			return pdInvalid("Validation failed: the parameter '%s' is not allowed", name).answer()
		}
	}
	var since, until time.Time
	for name, at := range map[string]*time.Time{"updated_since": &since, "updated_until": &until} {
		if text := c.query.Get(name); text != "" {
			t, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return pdInvalid("Validation failed: '%s' must be in RFC3339 format", name).answer()
			}
			*at = t
		}
	}
	var ids []string
	if text := c.query.Get("ids"); text != "" {
		if ids = strings.Split(text, ","); len(ids) > 100 {
			return pdInvalid("Validation failed: 'ids' may hold 100 ids").answer()
		}
	}
	var found []*pdRecord
	for _, r := range o.records {
		if r.deleted || !since.IsZero() && r.updated.Before(since) || !until.IsZero() && !r.updated.Before(until) ||
			ids != nil && !slices.Contains(ids, r.id) || !r.filtered(c) || o.name == "callLogs" && pdText(r.values["user_id"]) != strconv.Itoa(p.users[0].ID) {
			continue
		}
		found = append(found, r)
	}
	down := 1
	if c.query.Get("sort_direction") == "desc" {
		down = -1
	}
	slices.SortStableFunc(found, func(a, b *pdRecord) int {
		switch c.query.Get("sort_by") {
		case "update_time":
			return down * a.updated.Compare(b.updated)
		case "add_time":
			return down * a.created.Compare(b.created)
		}
		if down < 0 {
			return cmp.Compare(slices.Index(o.records, b), slices.Index(o.records, a))
		}
		return 0
	})
	return p.page(c, o, found)
}

// filtered tells whether a record has what the query asks for.
func (r *pdRecord) filtered(c *call) bool {
	for _, name := range []string{"owner_id", "user_id", "person_id", "org_id", "organization_id", "deal_id", "lead_id", "done", "status", "stage_id", "pipeline_id"} {
		if want := c.query.Get(name); want != "" && pdText(r.values[name]) != want {
			return false
		}
	}
	return true
}

// page cuts a list: v2 by an opaque cursor, v1 by position.
func (p *pipedrive) page(c *call, o *pdObject, found []*pdRecord) answer {
	most, limit := pdMaxPage, 100
	if o.name == "callLogs" {
		most, limit = 50, 50
	}
	if text := c.query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			return pdInvalid("Validation failed: 'limit' must be from 1 to %d", most).answer()
		}
		limit = n
	}
	start, err := pdStart(c, o)
	if err != nil {
		return err.answer()
	}
	only := strings.Split(c.query.Get("custom_fields"), ",")
	if len(only) > 15 {
		return pdInvalid("Validation failed: 'custom_fields' may hold 15 keys").answer()
	}
	data := []any{}
	for _, r := range found[min(start, len(found)):min(start+limit, len(found))] {
		one := p.shown(r)
		if customs, ok := one["custom_fields"].(map[string]any); ok && only[0] != "" {
			maps.DeleteFunc(customs, func(key string, _ any) bool { return !slices.Contains(only, key) })
		}
		data = append(data, one)
	}
	more := start+limit < len(found)
	if o.version == "v2" {
		var next any
		if more {
			next = base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(start + limit)))
		}
		return pdData(http.StatusOK, data, map[string]any{"next_cursor": next})
	}
	where := map[string]any{"start": start, "limit": limit, "more_items_in_collection": more}
	if o.name != "leads" {
		if more {
			where["next_start"] = start + limit
		}
		where = map[string]any{"pagination": where}
	}
	return pdData(http.StatusOK, data, where)
}

func pdStart(c *call, o *pdObject) (int, *pdErr) {
	text := c.query.Get("start")
	if o.version == "v2" {
		raw, err := base64.RawURLEncoding.DecodeString(c.query.Get("cursor"))
		if err != nil {
			return 0, pdInvalid("Validation failed: 'cursor' is not valid")
		}
		text = string(raw)
	}
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, pdInvalid("Validation failed: the position is not valid")
	}
	return n, nil
}

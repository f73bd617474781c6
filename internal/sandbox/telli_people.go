package sandbox

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// list finds what an object's name stands for, with the key of its id.
func (t *telli) list(object string) (*[]map[string]any, string, error) {
	switch object {
	case "contacts":
		return &t.contacts, "contact_id", nil
	case "calls":
		return &t.calls, "call_id", nil
	default:
		return nil, "", errNoObject
	}
}

func telliRecord(one map[string]any, key string) Record {
	id, _ := one[key].(string)
	return Record{ID: id, Fields: maps.Clone(one), Links: []Link{}}
}

func (t *telli) records(object string) ([]Record, error) {
	list, key, err := t.list(object)
	if err != nil {
		return nil, err
	}
	out := make([]Record, 0, len(*list))
	for _, one := range *list {
		out = append(out, telliRecord(one, key))
	}
	return out, nil
}

// create fills what telli always sends, so that a test may give only what it means.
func (t *telli) create(object string, fields map[string]any) (Record, error) {
	list, key, err := t.list(object)
	if err != nil {
		return Record{}, err
	}
	now := t.opts.Now().UTC()
	one := map[string]any{key: newUUID()}
	defaults := map[string]any{"call_attempts": 0, "contact_details": map[string]any{}, "created_at": isoTime(now), "updated_at": isoTime(now),
		"email": nil, "external_contact_id": nil, "external_url": nil, "first_name": "", "last_name": "", "in_call_since": nil,
		"next_call_at": nil, "phone_number": "", "reached_at": nil, "salutation": nil, "status": "new", "timezone": "Europe/Berlin"}
	if object == "calls" {
		ms := json.Number(strconv.FormatInt(now.UnixMilli(), 10))
		defaults = map[string]any{"attempt": 1, "booked_slot_for": nil, "call_analysis": map[string]any{}, "call_outcome": map[string]any{},
			"call_status": "COMPLETED", "collected_data": nil, "direction": "outbound", "recording_url": nil, "transcript": "",
			"transcriptObject": []any{}, "triggered_at": ms, "started_at": ms, "ended_at": ms}
	}
	maps.Copy(one, defaults)
	maps.Copy(one, fields)
	if object == "calls" {
		for _, name := range []string{"triggered_at", "started_at", "ended_at"} {
			if _, sent := fields[name+"_iso"]; !sent && one[name] != nil {
				one[name+"_iso"] = isoTime(time.UnixMilli(int64(number(one[name]))))
			}
		}
	}
	id, ok := one[key].(string)
	if !ok || id == "" || find(*list, key, id) != nil {
		return Record{}, errTelliID
	}
	*list = append(*list, one)
	return telliRecord(one, key), nil
}

func (t *telli) edit(object, id string, fields map[string]any) (Record, error) {
	list, key, err := t.list(object)
	if err != nil {
		return Record{}, err
	}
	one := find(*list, key, id)
	if one == nil {
		return Record{}, errNoRecord
	}
	if changed, sent := fields[key]; sent && changed != id {
		return Record{}, errTelliID
	}
	maps.Copy(one, fields)
	one["updated_at"] = isoTime(t.opts.Now())
	return telliRecord(one, key), nil
}

func (t *telli) remove(object, id string) error {
	list, key, err := t.list(object)
	if err != nil {
		return err
	}
	if find(*list, key, id) == nil {
		return errNoRecord
	}
	*list = slices.DeleteFunc(*list, func(one map[string]any) bool { return one[key] == id })
	return nil
}

package pipedrive

import (
	"encoding/json"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// The JSON of Pipedrive's API, as far as it is used.

// wireRecord is any record; numbers are kept as they were written.
type wireRecord map[string]any

// id is the record's id: a number, or text of leads and call logs.
func (r wireRecord) id() string {
	switch v := r["id"].(type) {
	case json.Number:
		return v.String()
	case string:
		return v
	}
	return ""
}

// shows tells whether an answer has a field at all; where there is none, of a
// new record, every field counts.
func (r wireRecord) shows(name string) bool {
	_, ok := r[name]
	return ok || r == nil
}

// gone tells of a record that was deleted and is still shown for a while.
func (r wireRecord) gone() bool {
	active, kept := r["active_flag"].(bool)
	return r["is_deleted"] == true || kept && !active
}

func (r wireRecord) time(name string) time.Time {
	s, _ := r[name].(string)
	t, _, _ := connectors.AsTime(s, time.UTC)
	return t.UTC()
}

type wireOne struct {
	Data wireRecord `json:"data"`
}

// wirePage is one page of a list. v2 has cursors, v1 has positions, in one of
// two places.
type wirePage struct {
	Data       []wireRecord `json:"data"`
	Additional struct {
		Cursor     string `json:"next_cursor"`
		More       bool   `json:"more_items_in_collection"`
		Pagination struct {
			More bool `json:"more_items_in_collection"`
		} `json:"pagination"`
	} `json:"additional_data"`
}

type wireSearched struct {
	Data struct {
		Items []struct {
			Item wireHit `json:"item"`
		} `json:"items"`
	} `json:"data"`
	Additional struct {
		Cursor string `json:"next_cursor"`
	} `json:"additional_data"`
}

// wireHit is a record as search shows it: its values without their fields.
type wireHit struct {
	ID     wireID   `json:"id"`
	Phones []string `json:"phones"`
	Emails []string `json:"emails"`
}

// wireID is an id that is a number or text.
type wireID string

// UnmarshalJSON implements json.Unmarshaler.
func (id *wireID) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*id = wireID(s)
		return nil
	}
	var n json.Number
	err := json.Unmarshal(b, &n)
	*id = wireID(n.String())
	return err
}

type wireField struct {
	Code    string `json:"field_code"`
	Name    string `json:"field_name"`
	Type    string `json:"field_type"`
	Custom  bool   `json:"is_custom_field"`
	Options []struct {
		ID    wireID `json:"id"`
		Label string `json:"label"`
	} `json:"options"`
}

type wireFields struct {
	Data       []wireField `json:"data"`
	Additional struct {
		Cursor string `json:"next_cursor"`
	} `json:"additional_data"`
}

type wireTypes struct {
	Data []struct {
		Key    string `json:"key_string"`
		Name   string `json:"name"`
		Active bool   `json:"active_flag"`
	} `json:"data"`
}

type wireUsers struct {
	Data []struct {
		ID     wireID `json:"id"`
		Email  string `json:"email"`
		Active bool   `json:"active_flag"`
	} `json:"data"`
}

// point is an e-mail address or phone number of a person.
type point struct {
	Value   string `json:"value"`
	Primary bool   `json:"primary"`
	Label   string `json:"label,omitempty"`
}

type participant struct {
	Person  json.Number `json:"person_id"`
	Primary bool        `json:"primary"`
}

// wireError is the body of an answer that is no success.
type wireError struct {
	Success *bool  `json:"success"`
	Error   string `json:"error"`
	Code    string `json:"code"`
}

package airtable

import (
	"encoding/json"
	"time"
)

// The JSON of Airtable's API, as far as it is used.

type wireRecord struct {
	ID      string         `json:"id,omitempty"`
	Created *time.Time     `json:"createdTime,omitempty"`
	Fields  map[string]any `json:"fields"`
}

type wireList struct {
	Formula  string   `json:"filterByFormula"`
	Fields   []string `json:"fields,omitempty"`
	PageSize int      `json:"pageSize"`
	Offset   string   `json:"offset,omitempty"`
}

type wirePage struct {
	Records []wireRecord `json:"records"`
	Offset  string       `json:"offset"`
}

type wireWrite struct {
	Records  []wireRecord `json:"records"`
	Typecast bool         `json:"typecast,omitempty"`
	Upsert   *wireUpsert  `json:"performUpsert,omitempty"`
}

type wireUpsert struct {
	MergeOn []string `json:"fieldsToMergeOn"`
}

type wireWritten struct {
	Records []wireRecord `json:"records"`
	Created []string     `json:"createdRecords"`
}

type wireTables struct {
	Tables []struct {
		ID     string      `json:"id"`
		Name   string      `json:"name"`
		Fields []wireField `json:"fields"`
	} `json:"tables"`
}

type wireField struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Type    string `json:"type"`
	Options struct {
		Choices []struct {
			Name string `json:"name"`
		} `json:"choices"`
		LinkedTable string `json:"linkedTableId"`
	} `json:"options"`
}

// wireError takes the three shapes of Airtable's errors: "error" as an object,
// "error" as a bare word, and the list "errors" of rate limits.
type wireError struct {
	Type    string
	Message string
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *wireError) UnmarshalJSON(text []byte) error {
	var body struct {
		Error  json.RawMessage `json:"error"`
		Errors []struct {
			Error   string `json:"error"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(text, &body); err != nil {
		return err
	}
	var object struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	}
	switch {
	case len(body.Errors) > 0:
		e.Type, e.Message = body.Errors[0].Error, body.Errors[0].Message
	case json.Unmarshal(body.Error, &object) == nil:
		e.Type, e.Message = object.Type, object.Message
	default:
		return json.Unmarshal(body.Error, &e.Type)
	}
	return nil
}

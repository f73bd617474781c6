package hubspot

import (
	"encoding/json"
	"strings"
	"time"
)

// The JSON of HubSpot's API, as far as it is used.

type wireInput struct {
	ID         string            `json:"id,omitempty"`
	IDProperty string            `json:"idProperty,omitempty"`
	Properties map[string]string `json:"properties"`
	Links      []wireLink        `json:"associations,omitempty"`
	Trace      string            `json:"objectWriteTraceId"`
}

// wireLink is an association that is made together with the record.
type wireLink struct {
	To    wireRef    `json:"to"`
	Types []wireType `json:"types"`
}

// wireLinked is what a record is associated with.
type wireLinked struct {
	From wireRef `json:"from"`
	To   []struct {
		ID    wireID      `json:"toObjectId"`
		Types []wireLabel `json:"associationTypes"`
	} `json:"to"`
}

// wireID is an id that comes as a number or as text.
type wireID string

// UnmarshalJSON implements json.Unmarshaler.
func (id *wireID) UnmarshalJSON(text []byte) error {
	*id = wireID(strings.Trim(string(text), `"`))
	return nil
}

type wireRecord struct {
	ID         string             `json:"id"`
	Properties map[string]*string `json:"properties"`
	CreatedAt  time.Time          `json:"createdAt"`
	UpdatedAt  time.Time          `json:"updatedAt"`
	New        bool               `json:"new"`
	Trace      string             `json:"objectWriteTraceId"`
	URL        string             `json:"url"`
}

// text is a property's value, "" if it has none.
func (r wireRecord) text(name string) string {
	if v := r.Properties[name]; v != nil {
		return *v
	}
	return ""
}

type wireBatch struct {
	Results []wireRecord `json:"results"`
	Errors  []wireError  `json:"errors"`
}

type wireRef struct {
	ID string `json:"id"`
}

type wirePair struct {
	From  wireRef    `json:"from"`
	To    wireRef    `json:"to"`
	Types []wireType `json:"types,omitempty"`
}

type wireType struct {
	Category string `json:"associationCategory"`
	ID       int    `json:"associationTypeId"`
}

type wireLinks struct {
	Errors []wireError `json:"errors"`
}

type wireSchema struct {
	ID     string `json:"objectTypeId"`
	Name   string `json:"name"`
	Labels struct {
		Singular string `json:"singular"`
		Plural   string `json:"plural"`
	} `json:"labels"`
}

type wireOwner struct {
	ID    string `json:"id"`
	Email string `json:"email"`
}

type wirePaging struct {
	Next struct {
		After string `json:"after"`
	} `json:"next"`
}

type wireLabel struct {
	Category string `json:"category"`
	TypeID   int    `json:"typeId"`
	Label    string `json:"label"`
}

type wireSearch struct {
	FilterGroups []wireGroup `json:"filterGroups"`
	Sorts        []string    `json:"sorts"`
	Properties   []string    `json:"properties"`
	Limit        int         `json:"limit"`
	After        string      `json:"after,omitempty"`
}

type wireGroup struct {
	Filters []wireFilter `json:"filters"`
}

type wireFilter struct {
	Property string   `json:"propertyName"`
	Operator string   `json:"operator"`
	Value    string   `json:"value,omitempty"`
	Values   []string `json:"values,omitempty"`
}

type wireSearched struct {
	Total   int          `json:"total"`
	Results []wireRecord `json:"results"`
	Paging  wirePaging   `json:"paging"`
}

type wireProperty struct {
	Name            string `json:"name"`
	Label           string `json:"label"`
	Type            string `json:"type"`
	FieldType       string `json:"fieldType"`
	Calculated      bool   `json:"calculated"`
	ExternalOptions bool   `json:"externalOptions"`
	HasUniqueValue  bool   `json:"hasUniqueValue"`
	Options         []struct {
		Value string `json:"value"`
		Label string `json:"label"`
	} `json:"options"`
	Modification struct {
		ReadOnlyValue bool `json:"readOnlyValue"`
	} `json:"modificationMetadata"`
}

// wireError is an error as the body of an answer and as an entry of a
// multi-status answer. "The fields should all be treated as optional."
type wireError struct {
	Message    string                     `json:"message"`
	Category   string                     `json:"category"`
	ErrorType  string                     `json:"errorType"`
	PolicyName string                     `json:"policyName"`
	Context    map[string]json.RawMessage `json:"context"`
	Errors     []struct {
		Message string                     `json:"message"`
		Code    string                     `json:"code"`
		In      string                     `json:"in"`
		Context map[string]json.RawMessage `json:"context"`
	} `json:"errors"`
}

// refused is an entry of the list that HubSpot puts into a message as JSON.
type refused struct {
	Name  string `json:"name"`
	Error string `json:"error"`
}

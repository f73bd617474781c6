package salesforce

import "encoding/json"

// The JSON of Salesforce's REST API, as far as it is used.

type wireToken struct {
	Token    string `json:"access_token"`
	Instance string `json:"instance_url"`
}

// wireOAuth is an error of the token address.
type wireOAuth struct {
	Error string `json:"error"`
}

// wireError is an error: errorCode for a request, statusCode for one record of
// a collection.
type wireError struct {
	ErrorCode  string   `json:"errorCode"`
	StatusCode string   `json:"statusCode"`
	Message    string   `json:"message"`
	Fields     []string `json:"fields"`
	Duplicates struct {
		Results []struct {
			Records []struct {
				Record struct {
					ID string `json:"Id"`
				} `json:"record"`
			} `json:"matchRecords"`
		} `json:"matchResults"`
	} `json:"duplicateResult"`
}

type wireCollection struct {
	AllOrNone bool             `json:"allOrNone"`
	Records   []map[string]any `json:"records"`
}

type wireType struct {
	Type string `json:"type"`
}

// wireSaved is what became of one record of a collection.
type wireSaved struct {
	ID      string      `json:"id"`
	Success bool        `json:"success"`
	Created bool        `json:"created"`
	Errors  []wireError `json:"errors"`
}

type wireQueried struct {
	Done    bool      `json:"done"`
	Next    string    `json:"nextRecordsUrl"`
	Records []wireRow `json:"records"`
}

// wireRow is a record by its fields' names.
type wireRow map[string]any

func (r wireRow) text(name string) string {
	s, _ := r[name].(string)
	return s
}

func (r wireRow) id() string { return r.text("Id") }

type wirePart struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Ref    string `json:"referenceId"`
}

type wireComposite struct {
	AllOrNone bool       `json:"allOrNone"`
	Parts     []wirePart `json:"compositeRequest"`
}

type wireComposed struct {
	Parts []struct {
		Body   json.RawMessage `json:"body"`
		Status int             `json:"httpStatusCode"`
		Ref    string          `json:"referenceId"`
	} `json:"compositeResponse"`
}

type wireObject struct {
	Name   string      `json:"name"`
	Label  string      `json:"label"`
	Prefix string      `json:"keyPrefix"`
	Fields []wireField `json:"fields"`
}

type wireField struct {
	Name          string   `json:"name"`
	Label         string   `json:"label"`
	Type          string   `json:"type"`
	ExtraType     string   `json:"extraTypeInfo"`
	HTML          bool     `json:"htmlFormatted"`
	Length        int      `json:"length"`
	Scale         int      `json:"scale"`
	Create        bool     `json:"createable"`
	Update        bool     `json:"updateable"`
	Filter        bool     `json:"filterable"`
	External      bool     `json:"externalId"`
	Unique        bool     `json:"unique"`
	CaseSensitive bool     `json:"caseSensitive"`
	Restricted    bool     `json:"restrictedPicklist"`
	References    []string `json:"referenceTo"`
	Values        []struct {
		Value  string `json:"value"`
		Label  string `json:"label"`
		Active bool   `json:"active"`
	} `json:"picklistValues"`
}

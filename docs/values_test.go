package docs_test

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/airtable"
	"github.com/crmsyncd/crmsyncd/connectors/hubspot"
	"github.com/crmsyncd/crmsyncd/connectors/pipedrive"
	"github.com/crmsyncd/crmsyncd/connectors/salesforce"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

var fieldTypes = []connectors.FieldType{
	connectors.Text, connectors.LongText, connectors.HTML, connectors.Number, connectors.Boolean, connectors.Date, connectors.DateTime,
	connectors.Duration, connectors.Select, connectors.MultiSelect, connectors.Email, connectors.Phone, connectors.URL,
}

// valueTable shows what becomes of some values in each type of field, as the
// connectors make them right.
func valueTable(t *testing.T) string {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	c := connectors.Coercion{Zone: zone, Country: "DE"}
	samples := []struct {
		name  string
		value connectors.Value
	}{
		{"`1.234,50 €`", "1.234,50 €"}, {"`ja`", "ja"}, {"`hot`", "hot"}, {"`20.11.2026 10:30`", "20.11.2026 10:30"}, {"90", 90}, {"a duration of 90 s", event.Seconds(90)}, {"the list `Hot`, `Cold`", []any{"Hot", "Cold"}},
	}
	head := "the CRM's field is"
	for _, s := range samples {
		head += "|" + s.name
	}
	var rows [][]string
	for _, ft := range fieldTypes {
		f := connectors.Field{Name: "f", Type: ft}
		if ft == connectors.Select || ft == connectors.MultiSelect {
			f.Options = []connectors.Option{{Value: "hot", Label: "Hot"}, {Value: "cold", Label: "Cold"}}
		}
		row := []string{string(ft)}
		for _, s := range samples {
			made, err := c.Coerce(f, s.value)
			switch v := made.Value.(type) {
			case time.Time:
				layout := time.RFC3339
				if ft == connectors.Date {
					layout = time.DateOnly
				}
				row = append(row, v.Format(layout))
			case []string:
				row = append(row, strings.Join(v, ", "))
			case nil: // not written
				row = append(row, "")
			default:
				row = append(row, fmt.Sprint(v))
			}
			if err != nil {
				row[len(row)-1] = ""
			}
		}
		rows = append(rows, row)
	}
	return table(head, rows)
}

// crmTypeTable lists the vendors' own words for their types of fields, as the
// connectors read them from accounts.
func crmTypeTable(t *testing.T) string {
	s := httptest.NewServer(sandbox.New(sandbox.Options{Unlimited: true}))
	defer s.Close()
	o := connectors.Options{Country: "DE", Zone: time.UTC}
	accounts := []struct {
		name    string
		open    func() (connectors.Connector, error)
		objects []string
	}{
		{"HubSpot", func() (connectors.Connector, error) {
			return hubspot.New(hubspot.Config{AccessToken: "t", BaseURL: s.URL + "/hubspot"}, o)
		}, []string{"contacts", "companies", "deals", "calls", "tasks"}},
		{"Airtable", func() (connectors.Connector, error) {
			return airtable.New(airtable.Config{AccessToken: "t", Base: "appTest0000000000", BaseURL: s.URL + "/airtable"}, o)
		}, []string{"Contacts", "Calls"}},
		{"Pipedrive", func() (connectors.Connector, error) {
			return pipedrive.New(pipedrive.Config{APIToken: "t", BaseURL: s.URL + "/pipedrive"}, o)
		}, []string{"persons", "organizations", "deals", "activities", "notes"}},
		{"Salesforce", func() (connectors.Connector, error) {
			return salesforce.New(salesforce.Config{ClientID: "app", ClientSecret: "s", BaseURL: s.URL + "/salesforce"}, o)
		}, []string{"Contact", "Lead", "Account", "Task"}},
	}
	words := map[connectors.FieldType]map[string][]string{}
	head := "type"
	for _, a := range accounts {
		head += "|" + a.name
		c, err := a.open()
		if err != nil {
			t.Fatal(err)
		}
		schema, err := c.Describe(t.Context(), a.objects)
		if err != nil {
			t.Fatalf("%s: %v", a.name, err)
		}
		for _, object := range schema {
			for _, f := range object.Fields {
				if words[f.Type] == nil {
					words[f.Type] = map[string][]string{}
				}
				if f.Native != "" {
					words[f.Type][a.name] = append(words[f.Type][a.name], "`"+f.Native+"`")
				}
			}
		}
	}
	var rows [][]string
	for _, ft := range append(slices.Clone(fieldTypes), slices.Sorted(maps.Keys(words))...) {
		if words[ft] == nil {
			continue
		}
		row := []string{string(ft)}
		for _, a := range accounts {
			row = append(row, strings.Join(slices.Compact(slices.Sorted(slices.Values(words[ft][a.name]))), " "))
		}
		delete(words, ft)
		rows = append(rows, row)
	}
	return table(head, rows)
}

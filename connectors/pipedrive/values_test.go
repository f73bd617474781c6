package pipedrive_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

func TestOwnersByAddressInAnyCaseWithAFallback(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	for _, x := range []struct {
		owner connectors.Value
		want  string
		code  string
	}{
		{"Owner.TWO@example.com", "90002", ""},
		{90002, "90002", ""},
		{[]any{"nobody@example.com", "Owner.Two@Example.com"}, "90002", ""},
		{[]any{"gone@example.com", "", "owner.two@example.com", "owner.one@example.com"}, "90002", ""},
		{[]any{"90002", "owner.one@example.com"}, "90002", ""},
		{[]any{"gone@example.com", "also.gone@example.com"}, "", connectors.CodeNoUser},
		{[]any{"Owner Two", "owner.two@example.com"}, "", connectors.CodeValue},
	} {
		r := d.write(connectors.Change{Object: "persons", Fields: fields{"name": "N", "owner_id": x.owner, "Account manager": x.owner}})[0]
		if (r.Err == nil) != (x.code == "") || r.Err != nil && r.Err.Code != x.code {
			t.Errorf("%v: got %v, want code %q", x.owner, r.Err, x.code)
			continue
		}
		if r.Err != nil {
			continue
		}
		if got := d.record("persons", r.ID).Fields; fmt.Sprint(got["owner_id"]) != x.want || fmt.Sprint(got["Account manager"]) != x.want {
			t.Errorf("%v: the owner is %v and %v, want %v", x.owner, got["owner_id"], got["Account manager"], x.want)
		}
	}
	reads := 0
	for _, r := range d.s.Requests("pipedrive") {
		if strings.HasSuffix(r.Path, "/users") {
			reads++
		}
	}
	if reads != 1 {
		t.Errorf("%d requests for users, want 1", reads)
	}
}

func TestTimesOfDayAreTheSettingsZones(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, sandbox.Options{})
	d.Connector = connect(t, d.url, connectors.Options{Country: "DE", Zone: zone})
	at := time.Date(2026, 12, 30, 23, 30, 0, 0, time.UTC) // the 31st in Berlin
	twice := time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC)
	for _, x := range []struct{ date, clock, day, time any }{
		{"31.12.2026 00:30", "31.12.2026 00:30", "2026-12-30", "23:30:00"},
		{"31.12.2026", "31.12.2026 00:30", "2026-12-30", "23:30:00"},
		{"31.12.2026", "00:30", "2026-12-30", "23:30:00"},
		{at, "09:15", "2026-12-31", "08:15:00"},
		{"2026-06-30", "14:30:00", "2026-06-30", "12:30:00"},
		{at, at, "2026-12-30", "23:30:00"},
		{"25.10.2026", twice, "2026-10-25", "01:30:00"}, // the second half past two of that night
		{"2026-12-31T00:30:00+01:00", "2026-12-31T00:30:00+01:00", "2026-12-30", "23:30:00"},
		{at, nil, "2026-12-31", nil},
	} {
		r := d.must(connectors.Change{Object: "activities", Fields: fields{"subject": "Call", "type": "call", "due_date": x.date, "due_time": x.clock}})[0]
		if got := d.record("activities", r.ID).Fields; got["due_date"] != x.day || got["due_time"] != x.time {
			t.Errorf("%v and %v: got %v %v, want %v %v", x.date, x.clock, got["due_date"], got["due_time"], x.day, x.time)
		}
	}
	for _, x := range []struct{ in, want any }{{at, "00:30:00"}, {"31.12.2026 00:30", "00:30:00"}, {"14:30", "14:30:00"}, {"2026-12-31T00:30:00Z", "01:30:00"}} {
		r := d.must(connectors.Change{Object: "persons", Fields: fields{"name": "N", "Call window": x.in}})[0]
		if r.Fields["Call window"] != x.want {
			t.Errorf("a custom field given %v has %v, want the local clock %v", x.in, r.Fields["Call window"], x.want)
		}
	}
}

func TestAWordThatIsNoOptionIsToldWithTheLabels(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	e := d.write(connectors.Change{Object: "persons", Fields: fields{"name": "N", "Telli status": "something else"}})[0].Err
	if e == nil || !strings.Contains(e.Message, ": new, pending, reached, closed") {
		t.Errorf("got %v, want the options by their labels", e)
	}
	if e := d.write(connectors.Change{Object: "persons", Fields: fields{"name": "N", "Telli status": "99"}})[0].Err; e == nil || strings.Contains(e.Message, "did you mean") {
		t.Errorf("got %v, want no id taken for a likely word", e)
	}
}

func TestMoneyIsReadAsANumberFieldReadsIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	d.Connector = connect(t, d.url, connectors.Options{Country: "DE"})
	for in, want := range map[string]string{
		"1.234 EUR": "1234 EUR", "1.234 €": "1234 EUR", "€ 1.234": "1234 EUR", "EUR 1.234,50": "1234.50 EUR", "1.234,50€": "1234.50 EUR",
		"1 234,50 EUR": "1234.50 EUR", "1,234 EUR": "1.234 EUR", "12.50 chf": "12.50 CHF", "$5": "",
	} {
		r := d.write(connectors.Change{Object: "persons", Fields: fields{"name": "N", "Score": in, "Budget": in}})[0]
		if want == "" {
			if r.Err == nil || r.Err.Code != connectors.CodeValue || r.Err.Field != "Budget" {
				t.Errorf("%s: got %v, want it refused", in, r.Err)
			}
			continue
		}
		number, currency, _ := strings.Cut(want, " ")
		if r.Err != nil {
			t.Errorf("%s: %v", in, r.Err)
			continue
		}
		held, err := json.Marshal(d.s.Records("pipedrive", "persons"))
		if err != nil {
			t.Fatal(err)
		}
		if money := `{"currency":"` + currency + `","value":` + number + `}`; !strings.Contains(string(held), money) || d.record("persons", r.ID).Fields["Score"] != json.Number(number) {
			t.Errorf("%s: the number field has %v, and Pipedrive %s; want %s", in, d.record("persons", r.ID).Fields["Score"], held, want)
		}
	}
}

func TestAGroupIsRefusedByEveryField(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	for object, names := range map[string][]string{
		"persons":    {"job_title", "email", "phone", "Telli status", "Interests", "Second phone", "Score", "Remarks", "Account manager", "Budget", "Call window", "Telli reached at", "owner_id", "org_id"},
		"activities": {"due_time", "due_date", "duration", "note", "deal_id", "lead_id"},
		"callLogs":   {"recording", "to_phone_number"},
	} {
		for _, name := range names {
			given := fields{"name": "N"}
			if object == "activities" {
				given = fields{"subject": "N", "type": "call"}
			} else if object == "callLogs" {
				given = fields{"to_phone_number": "+493012345678", "outcome": "connected", "start_time": time.Now(), "end_time": time.Now()}
			}
			given[name] = map[string]any{"a": 1}
			e := d.write(connectors.Change{Object: object, Fields: given})[0].Err
			if e == nil || e.Kind != connectors.Invalid || e.Field != name || !strings.Contains(e.Message, "is a group of values, but this field wants") {
				t.Errorf("%s of %s: got %v, want it refused as a group", name, object, e)
			}
		}
	}
}

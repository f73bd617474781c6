// Package connectortest is the suite that every connector passes against the
// sandbox: what the comments of package connectors promise, as tests.
//
// It talks to the sandbox over HTTP only, and knows of a CRM what its Harness
// says.
package connectortest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// Secret is the token that harnesses give their connector, and must nowhere
// come out again.
const Secret = "pat-conformance-secret"

// Harness says how to make a connector and what the sandbox's account holds.
type Harness struct {
	CRM     string                    // its name in the sandbox's paths
	Sandbox func(t *testing.T) string // starts a fresh sandbox, without limits, and returns its address
	New     func(t *testing.T, sandbox string, o connectors.Options) connectors.Connector
	People  Shape // contacts
	Calls   Shape // linked to People
	// Values are fields of People with what is written and what Find returns.
	Values []Value
	// Limits on requests for 1,000 finished calls that arrive together.
	FindMost, WriteMost int
	// Read10000 is the most requests that reading 10,000 people by id may cost.
	Read10000 int
	// Merge has a person merge two people of the sandbox: from is no more, into
	// is left. nil: the CRM has no such thing. MergeHides says that the CRM does
	// not tell where from went.
	Merge      func(t *testing.T, sandbox, from, into string)
	MergeHides bool
	// LongText is a field of Calls and how many characters fit.
	LongText string
	Longest  int
	Missing  string // id of a record that is not there
	// WriteOnly says that nothing can be read: no fields are known, nothing is
	// found, every change is a request of its own, and repeating one is safe
	// as the receiver knows its id. Of the suite run those that reads take no
	// part in. The sandbox shows what came as records of Calls.
	WriteOnly bool
	// NoUpsert says that the CRM upserts by no field: a change without an id
	// makes a record, whatever its key.
	NoUpsert bool
	// Creates is a part of the path of POST requests that make records; empty
	// is /batch/.
	Creates string
}

// Shape is an object with fields that the suite uses.
type Shape struct {
	Object string
	Key    string // the CRM itself upserts by it
	Name   string // plain text
	Email  string // of People
	Phone  string // of People
	// Needed are fields that a new record must have.
	Needed map[string]connectors.Value
}

// Value is a value's way into a field and back.
type Value struct {
	Field string
	In    connectors.Value
	Want  connectors.Value
}

// need is what a test needs of a CRM; each includes those before it.
type need int

const (
	nothing need = iota
	canRead
	canMerge
)

// Test runs the suite.
func Test(t *testing.T, h Harness) {
	for _, c := range []struct {
		name  string
		run   func(*testing.T, *bench)
		needs need
	}{
		{"describe names the fields and leaves out objects that are not there", describe, canRead},
		{"find answers none, one and several", findCounts, canRead},
		{"find tries keys in order and the first that finds wins", findOrder, canRead},
		{"find knows an e-mail in any case and a number in any notation", findNotations, canRead},
		{"find by id, where a foreign id just does not match", findID, canRead},
		{"find takes composite keys", findComposite, canRead},
		{"upsert twice is one record", upsertTwice, canRead},
		{"lost reply on upsert leaves one record", lostUpsert, canRead},
		{"lost reply on create leaves one record after a retry", lostCreate, canRead},
		{"lost reply on create without a key leaves one record after a retry", lostKeyless, canRead},
		{"a retry that comes too early is put off", tooEarly, canRead},
		{"one bad record of a batch does not keep out the others", partial, canRead},
		{"behind a change that failed no later one of its lane is made", inLane, nothing},
		{"what was applied is told on the way, once, as Write returns it", tellsOnTheWay, nothing},
		{"an unknown field is invalid and the nearest is named", unknownField, canRead},
		{"a value of the wrong type is invalid and not shown", wrongValue, canRead},
		{"401 is auth and concerns the account", refused401, nothing},
		{"429 is a rate limit and concerns the account", refused429, nothing},
		{"503 is transient", refused503, nothing},
		{"500 on create is unknown and on upsert transient", refused500, canRead},
		{"values come back as they went in", roundTrip, canRead},
		{"no value is lost or invented silently", silent, canRead},
		{"what is not written is said", saysSkipped, canRead},
		{"nil clears a field", clears, canRead},
		{"over-long text is cut and noted", cutsText, canRead},
		{"links are there afterwards and earlier ones stay", links, canRead},
		{"a change of a record that was deleted is not found", writeGone, canRead},
		{"a caller that gives up is answered at once", givenUp, nothing},
		{"the account can be asked for what it takes, and nothing is written", checks, canRead},
		{"every connector that can read reads by id", onlyReaders, nothing},
		{"read tells in order what is there, what is gone and what failed", readIDs, canRead},
		{"read finds a merged record in the one that is left", readMerged, canMerge},
		{"a change of a merged record goes to the one that is left", writeMerged, canMerge},
		{"10,000 people are read with few requests", readMany, canRead},
		{"no secret and no customer's data in errors and logs", secrets, nothing},
		{"a request passes on the traces of its own changes only", ownTraces, nothing},
		{"1,000 calls cost few requests", thousand, canRead},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.needs >= canRead && h.WriteOnly {
				t.Skip("this connector cannot read")
			}
			if c.needs == canMerge && h.Merge == nil {
				t.Skip("this CRM merges no records")
			}
			c.run(t, newBench(t, h))
		})
	}
}

// bench is one connector at one fresh sandbox.
type bench struct {
	Harness
	connectors.Connector
	url  string
	logs *safeBuffer
}

func newBench(t *testing.T, h Harness) *bench {
	b := &bench{Harness: h, url: h.Sandbox(t), logs: &safeBuffer{}}
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	b.Connector = h.New(t, b.url, connectors.Options{
		Name: h.CRM, Country: "DE", Zone: zone, UserAgent: "crmsyncd/test",
		Log: slog.New(slog.NewTextHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	return b
}

// person is a change for one new or known person.
func (b *bench) person(n int) connectors.Change {
	p := b.People
	c := connectors.Change{Object: p.Object, Fields: map[string]connectors.Value{
		p.Key: fmt.Sprintf("person-%d", n), p.Name: fmt.Sprintf("Name %d", n),
		p.Email: fmt.Sprintf("person%d@example.com", n), p.Phone: fmt.Sprintf("+4930%07d", 9000000+n),
	}}
	c.Key = connectors.Key{{Field: p.Key, Value: c.Fields[p.Key]}}
	return c
}

func (b *bench) call(n int, person string) connectors.Change {
	s := b.Calls
	c := connectors.Change{Object: s.Object, Fields: map[string]connectors.Value{s.Key: fmt.Sprintf("call-%d", n), s.Name: fmt.Sprintf("Call %d", n)}}
	for name, v := range s.Needed {
		c.Fields[name] = v
	}
	c.Key = connectors.Key{{Field: s.Key, Value: c.Fields[s.Key]}}
	if person != "" {
		c.Links = []connectors.Link{{Object: b.People.Object, ID: person}}
	}
	return c
}

func (b *bench) write(t *testing.T, changes ...connectors.Change) []connectors.Result {
	t.Helper()
	results, err := b.Write(t.Context(), changes)
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	if len(results) != len(changes) {
		t.Fatalf("got %d results for %d changes", len(results), len(changes))
	}
	return results
}

// must is write where every change must succeed.
func (b *bench) must(t *testing.T, changes ...connectors.Change) []connectors.Result {
	t.Helper()
	results := b.write(t, changes...)
	for i, r := range results {
		if r.Err != nil || r.ID == "" {
			t.Fatalf("change %d: got id %q, error %v", i, r.ID, r.Err)
		}
	}
	return results
}

func (b *bench) find(t *testing.T, matches ...connectors.Match) []connectors.Found {
	t.Helper()
	found, err := b.Find(t.Context(), matches)
	if err != nil {
		t.Fatalf("find: %v", err)
	}
	if len(found) != len(matches) {
		t.Fatalf("got %d answers for %d matches", len(found), len(matches))
	}
	return found
}

func (b *bench) by(field string, v connectors.Value) connectors.Match {
	return connectors.Match{Object: b.People.Object, Keys: []connectors.Key{{{Field: field, Value: v}}}}
}

// Record is a record as the sandbox shows it.
type Record struct {
	ID     string         `json:"id"`
	Fields map[string]any `json:"fields"`
	Links  []struct {
		Object string `json:"object"`
		ID     string `json:"id"`
	} `json:"links"`
}

func (b *bench) records(t *testing.T, object string) []Record {
	t.Helper()
	var out []Record
	b.sandbox(t, http.MethodGet, "/_/records/"+b.CRM+"/"+url.PathEscape(object), nil, &out)
	return out
}

// plant makes a record as a person would.
func (b *bench) plant(t *testing.T, fields map[string]any) Record {
	t.Helper()
	var out Record
	b.sandbox(t, http.MethodPost, "/_/records/"+b.CRM+"/"+url.PathEscape(b.People.Object), fields, &out)
	return out
}

// fault switches a fault on at writes.
func (b *bench) fault(t *testing.T, fault map[string]any) {
	t.Helper()
	fault["crm"] = b.CRM
	b.sandbox(t, http.MethodPost, "/_/faults", []any{fault}, nil)
}

func (b *bench) noFaults(t *testing.T) {
	t.Helper()
	b.sandbox(t, http.MethodDelete, "/_/faults", nil, nil)
}

func (b *bench) requests(t *testing.T) int {
	t.Helper()
	var out []any
	b.sandbox(t, http.MethodGet, "/_/requests?crm="+b.CRM, nil, &out)
	return len(out)
}

func (b *bench) sandbox(t *testing.T, method, path string, body, into any) {
	t.Helper()
	Ask(t, method, b.url+path, body, into)
}

// Ask sends JSON to a sandbox, below any path of it, with a token that all its
// CRMs take, and reads the answer.
func Ask(t *testing.T, method, address string, body, into any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+Secret)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		t.Fatalf("sandbox: %s %s answered %d", method, address, answer.StatusCode)
	}
	if into != nil {
		if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
}

// safeBuffer takes logs from several goroutines.
type safeBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

package live_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/live"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

// making is an account that answers as it is told to.
type making struct {
	connectors.Connector
	connectors.Checker
	answers []*connectors.Error
	asked   int
	lands   int // the question that makes the field, from 1, whatever is answered
}

func (m *making) Propose(_ string, f connectors.Field) (connectors.Field, string) { return f, "" }

func (m *making) CreateField(context.Context, string, connectors.Field) error {
	m.asked++
	if err := m.answers[min(m.asked, len(m.answers))-1]; err != nil {
		return err
	}
	return nil
}

func (m *making) CheckField(context.Context, string, string) (connectors.Field, *connectors.Error) {
	if m.lands > 0 && m.asked >= m.lands {
		return connectors.Field{}, nil
	}
	return connectors.Field{}, &connectors.Error{Kind: connectors.Invalid}
}

func TestALimitOrALostAnswerHoldsAFieldUpAndNoMore(t *testing.T) {
	t.Parallel()
	limited := &connectors.Error{Kind: connectors.RateLimited, Wait: 30 * time.Second}
	lost := &connectors.Error{Kind: connectors.Unknown}
	taken := &connectors.Error{Kind: connectors.Conflict}
	for _, c := range []struct {
		name    string
		answers []*connectors.Error
		lands   int
		asked   int
		waited  time.Duration
		made    bool
	}{
		{"a limit, with its wait", []*connectors.Error{limited, nil}, 0, 2, 30 * time.Second, true},
		{"a lost answer whose field is there", []*connectors.Error{lost, taken}, 1, 1, time.Second, true},
		{"a lost request", []*connectors.Error{lost, nil}, 0, 2, time.Second, true},
		{"a field that appears late", []*connectors.Error{lost, taken}, 2, 2, time.Second, true},
		{"a field of somebody else's", []*connectors.Error{taken}, 1, 1, 0, false},
		{"a refusal", []*connectors.Error{{Kind: connectors.Invalid}}, 0, 1, 0, false},
		{"a day's limit", []*connectors.Error{{Kind: connectors.RateLimited, Wait: time.Hour}}, 0, 1, 0, false},
		{"a parked account", []*connectors.Error{{Kind: connectors.RateLimited, Park: true}}, 0, 1, 0, false},
		{"an outage", []*connectors.Error{{Kind: connectors.Transient}}, 0, 7, 63 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := &making{answers: c.answers, lands: c.lands}
				begun := time.Now()
				err := live.Missing{Account: live.Account{Name: "crm", Connector: m}, Object: "o", Field: connectors.Field{Name: "f"}}.Create(t.Context())
				if (err == nil) != c.made || m.asked != c.asked || time.Since(begun) != c.waited {
					t.Errorf("got %v after %d questions and %s, want made %v after %d and %s", err, m.asked, time.Since(begun), c.made, c.asked, c.waited)
				}
			})
		})
	}
}

func TestALostAnswerMakesOneField(t *testing.T) {
	t.Parallel()
	for crm, x := range map[string]struct{ object, key string }{
		"hubspot": {"contacts", "telli_contact_id"}, "airtable": {"Contacts", "telli_contact_id"}, "pipedrive": {"persons", "Telli contact id"},
	} {
		t.Run(crm, func(t *testing.T) {
			t.Parallel()
			inner := sandbox.New(sandbox.Options{Unlimited: true})
			made, failed := 0, false
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				makes := r.Method == http.MethodPost && !strings.HasSuffix(r.URL.Path, "/groups")
				if makes {
					made++
				}
				if makes && !failed {
					failed = true
					inner.ServeHTTP(httptest.NewRecorder(), r)
					panic(http.ErrAbortHandler)
				}
				inner.ServeHTTP(w, r)
			}))
			t.Cleanup(s.Close)
			missing, ps := live.Find(t.Context(), rules(t, crm, "call.ended", record(x.object, x.key, "made_late: a")), []live.Account{account(t, crm, s.URL)})
			var m *live.Missing
			for i := range missing {
				if missing[i].Field.Name == "made_late" {
					m = &missing[i]
				}
			}
			if m == nil || len(ps) > 0 {
				t.Fatalf("got %+v, %v", missing, ps)
			}
			if err := m.Create(t.Context()); err != nil || made != 1 {
				t.Errorf("got %v after %d requests, want the field that the first one made", err, made)
			}
		})
	}
}

func TestAFieldThatIsHiddenIsNotOneToMake(t *testing.T) {
	t.Parallel()
	url := start(t)
	for _, object := range []string{"Contact", "Task"} {
		a := account(t, "salesforce", url)
		f := connectors.Field{Name: "Hidden__c", Label: "Hidden", Type: connectors.Text, Native: "Text"}
		if err := a.Connector.(connectors.Provisioner).CreateField(t.Context(), object, f); connectors.AsError(err).Code != connectors.CodeHidden {
			t.Fatal(err)
		}
		writes := rules(t, "salesforce", "call.ended", fmt.Sprintf("      - {object: %s, create: always, fields: {Hidden__c: a, Nowhere__c: b}}\n", object))
		a = account(t, "salesforce", url)
		ps := live.Check(t.Context(), writes, []live.Account{a})
		if len(ps) != 2 || !strings.Contains(ps[0].Error(), "may not see it") || strings.Contains(ps[0].Error()+ps[0].Hint, "makes it") || !strings.Contains(ps[1].Hint, "makes it") {
			t.Errorf("%s: got %v, want only the other one to be made", object, ps)
		}
		missing, ps := live.Find(t.Context(), writes, []live.Account{a})
		if len(missing) != 2 || len(ps) > 0 || !strings.Contains(missing[0].Manual, "may not see it") || missing[0].Field.Name != "Hidden__c" || missing[1].Manual != "" {
			t.Errorf("%s: got %+v %v, want the hidden one told with where to click", object, missing, ps)
		}
	}
}

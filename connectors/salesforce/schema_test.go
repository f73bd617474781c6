package salesforce

import (
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

func TestAnObjectThatDidNotChangeIsNotSentAgain(t *testing.T) {
	t.Parallel()
	box := sandbox.New(sandbox.Options{Unlimited: true})
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	made, err := New(Config{ClientID: "a", ClientSecret: "s", BaseURL: server.URL + "/salesforce"}, connectors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := made.(*Connector)
	first, problem := c.object(t.Context(), "Task")
	if problem != nil {
		t.Fatal(problem)
	}
	c.schemas.Forget() // as if ten minutes had gone by
	second, problem := c.object(t.Context(), "Task")
	if problem != nil {
		t.Fatal(problem)
	}
	if diff := cmp.Diff(first.Object, second.Object); diff != "" || len(second.Fields) < 15 {
		t.Errorf("%d fields (-first +second):\n%s", len(second.Fields), diff)
	}
	requests := box.Requests("salesforce")
	if last := requests[len(requests)-1]; last.Status != 304 {
		t.Errorf("the second reading was answered %d, want 304", last.Status)
	}
}

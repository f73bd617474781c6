package salesforce_test

import (
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// missed is a call without anything that tells it from another one.
func missed(links ...connectors.Link) connectors.Change {
	return connectors.Change{Object: "Task", Fields: map[string]connectors.Value{"Subject": "Missed call", "TaskSubtype": "Call", "Status": "Completed"}, Links: links}
}

func TestALostTaskIsNotTakenForThatOfSomebodyElse(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	one := connectors.Link{Object: "Contact", ID: o.plant("Contact", map[string]any{"LastName": "One"})}
	two := connectors.Link{Object: "Contact", ID: o.plant("Contact", map[string]any{"LastName": "Two"})}
	first := o.write(missed(one))[0]
	lost := missed(two)
	lost.Attempted = time.Now().Add(-time.Hour)
	second := o.write(lost)[0]
	if second.Err != nil || !second.Created || second.ID == first.ID {
		t.Fatalf("got %+v, want a task of its own beside %s", second, first.ID)
	}
	if who := o.record("Task", second.ID).Fields["WhoId"]; who != two.ID {
		t.Errorf("it belongs to %v, want %s", who, two.ID)
	}
	if again := o.write(lost)[0]; again.Err != nil || again.ID != second.ID {
		t.Errorf("the next look finds %+v, want %s", again, second.ID)
	}
	both := missed(two, one) // one of them is in WhoId, the other beside it
	both.Fields["Subject"] = "Conference"
	made := o.write(both)[0]
	both.Attempted = lost.Attempted
	if again := o.write(both)[0]; again.Err != nil || again.ID != made.ID {
		t.Errorf("of two persons: got %+v, want %s", again, made.ID)
	}
}

func TestTwoLostTasksThatAreAlikeAreTwo(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	o.write(missed()) // of two requests one arrived
	lost := missed()
	lost.Attempted = time.Now().Add(-time.Hour)
	results := o.write(lost, lost)
	if results[0].Err != nil || results[1].Err != nil || results[0].ID == results[1].ID {
		t.Errorf("got %+v, want two tasks", results)
	}
	if n := len(o.box.Records("salesforce", "Task")); n != 2 {
		t.Errorf("%d tasks, want 2", n)
	}
}

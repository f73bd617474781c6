package mapping

import (
	"strings"

	"github.com/crmsyncd/crmsyncd/event"
)

// kinds is the set of kinds of values that a formula can have. Every formula
// can also be missing, so that is not among them; the empty set is a formula
// that is always missing.
type kinds uint16

const (
	kText kinds = 1 << iota
	kNumber
	kBool
	kTime
	kDuration
	kList
	kMap    // values under names that the customer chose
	kObject // a part of the model, such as contact

	kAny    = kText | kNumber | kBool | kTime | kDuration | kList | kMap
	kScalar = kText | kNumber | kBool | kTime | kDuration
	kField  = kScalar | kList         // what a CRM's field can be given
	kBody   = kField | kMap | kObject // what can stand in a webhook's body
)

var kindNames = []struct {
	kind kinds
	name string
}{
	{kText, "text"}, {kNumber, "a number"}, {kBool, "true or false"}, {kTime, "a time"}, {kDuration, "a duration"},
	{kList, "a list"}, {kMap, "a set of named values"}, {kObject, "a group of values"},
}

// String names the kinds for people.
func (k kinds) String() string {
	switch k {
	case 0:
		return "nothing"
	case kAny, kAny | kObject:
		return "anything"
	case kScalar:
		return "a single value"
	}
	var names []string
	for _, n := range kindNames {
		if k&n.kind != 0 {
			names = append(names, n.name)
		}
	}
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// can reports whether a value of kinds k may be one of want. What is always
// missing can be anything.
func (k kinds) can(want kinds) bool { return k == 0 || k&want != 0 }

func kindOf(k event.Kind) kinds {
	switch k {
	case event.Text:
		return kText
	case event.Number:
		return kNumber
	case event.Time:
		return kTime
	case event.Duration:
		return kDuration
	case event.List:
		return kList
	case event.Map:
		return kMap
	case event.Object:
		return kObject
	case event.Any:
		return kAny
	}
	return kAny
}

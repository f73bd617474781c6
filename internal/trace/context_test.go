package trace

import (
	"net/http"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/event"
)

const (
	anID   = "4bf92f3577b34da6a3ce929d0e0e4736"
	aSpan  = "00f067aa0ba902b7"
	parent = "00-" + anID + "-" + aSpan + "-01"
)

func TestReadTakesTraceparentAsTheStandardWritesIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in    []string
		flags byte
		ok    bool
	}{
		"as it should be":                        {[]string{parent}, event.Sampled, true},
		"not sampled":                            {[]string{"00-" + anID + "-" + aSpan + "-00"}, 0, true},
		"a random id":                            {[]string{"00-" + anID + "-" + aSpan + "-03"}, event.Sampled | event.Random, true},
		"flags that nobody knows":                {[]string{"00-" + anID + "-" + aSpan + "-ff"}, event.Sampled | event.Random, true},
		"a later version":                        {[]string{"01-" + anID + "-" + aSpan + "-03"}, event.Sampled, true},
		"a later version with more":              {[]string{"cc-" + anID + "-" + aSpan + "-01-what-the-future-brings"}, event.Sampled, true},
		"a later version, run together":          {[]string{"cc-" + anID + "-" + aSpan + "-01.more"}, 0, false},
		"a later version without end":            {[]string{"cc-" + anID + "-" + aSpan + "-01-" + strings.Repeat("x", 600)}, 0, false},
		"version 00 with more":                   {[]string{parent + "-more"}, 0, false},
		"the version that is none":               {[]string{"ff-" + anID + "-" + aSpan + "-01"}, 0, false},
		"capital letters":                        {[]string{strings.ToUpper(parent)}, 0, false},
		"a capital letter in the span":           {[]string{"00-" + anID + "-00F067aa0ba902b7-01"}, 0, false},
		"no hex":                                 {[]string{"00-" + strings.Replace(anID, "4", "g", 1) + "-" + aSpan + "-01"}, 0, false},
		"the id of nothing":                      {[]string{"00-" + strings.Repeat("0", 32) + "-" + aSpan + "-01"}, 0, false},
		"the span of nothing":                    {[]string{"00-" + anID + "-" + strings.Repeat("0", 16) + "-01"}, 0, false},
		"an id too short":                        {[]string{"00-" + anID[1:] + "-" + aSpan + "-01"}, 0, false},
		"blanks around":                          {[]string{" " + parent}, 0, false},
		"another sign between":                   {[]string{strings.ReplaceAll(parent, "-", "_")}, 0, false},
		"two of them, as who is meant is open":   {[]string{parent, parent}, 0, false},
		"empty":                                  {[]string{""}, 0, false},
		"none":                                   {nil, 0, false},
		"short":                                  {[]string{"00-"}, 0, false},
		"as long as it should be, of other text": {[]string{strings.Repeat("a", parentLen)}, 0, false},
	} {
		got := Read(http.Header{parentHeader: c.in})
		switch {
		case got == nil && !c.ok:
		case got == nil || !c.ok:
			t.Errorf("%s: got %v, want %v", name, got, c.ok)
		case got.Flags != c.flags || got.String() != anID:
			t.Errorf("%s: got id %s and flags %x, want %s and %x", name, got, got.Flags, anID, c.flags)
		}
	}
}

func TestReadTakesTracestateWithinBounds(t *testing.T) {
	t.Parallel()
	long := "a=" + strings.Repeat("x", 250)
	full := strings.Repeat("k", 255) + "=" + strings.Repeat("v", 256)
	for name, c := range map[string]struct {
		in   []string
		want string
	}{
		"one":                           {[]string{"congo=t61rcWkgMzE"}, "congo=t61rcWkgMzE"},
		"two headers, blanks and gaps":  {[]string{"congo=t61 , ,rojo=00f", "tenant@vendor=1"}, "congo=t61,rojo=00f,tenant@vendor=1"},
		"the last ones that do not fit": {[]string{long + ",b=" + strings.Repeat("y", 250) + ",c=" + strings.Repeat("z", 20) + ",d=1"}, long + ",b=" + strings.Repeat("y", 250)},
		"one of 512 bytes":              {[]string{full}, full},
		"one more than fits":            {[]string{full + ",b=1"}, full},
		"one of 513 bytes":              {[]string{"k" + full}, ""},
		"a member that is none":         {[]string{"congo=t61,rojo"}, ""},
		"the same key twice":            {[]string{"a=1,b=2,a=3"}, ""},
		"a capital letter in a key":     {[]string{"Congo=1"}, ""},
		"a control character":           {[]string{"a=1\x002"}, ""},
		"a letter beyond ASCII":         {[]string{"a=ü"}, ""},
		"no value":                      {[]string{"a="}, ""},
		"33 members":                    {[]string{many(33)}, ""},
		"32 members":                    {[]string{many(32)}, many(32)},
		"far too much":                  {[]string{strings.Repeat("a=1,", 1<<16)}, ""},
	} {
		got := Read(http.Header{parentHeader: {parent}, stateHeader: c.in})
		if got == nil || got.State != c.want {
			t.Errorf("%s: got %+v, want %q", name, got, c.want)
		}
	}
	if got := Read(http.Header{stateHeader: {"a=1"}}); got != nil {
		t.Errorf("a state without a parent gave %+v, want none", got)
	}
}

func many(n int) string {
	var out []string
	for i := range n {
		out = append(out, "k"+string(rune('a'+i%26))+string(rune('a'+i/26))+"=1")
	}
	return strings.Join(out, ",")
}

// FuzzRead holds that what is taken is written again so that it is taken as the
// same, and is within its bounds.
func FuzzRead(f *testing.F) {
	f.Add(parent, "congo=t61rcWkgMzE,tenant@vendor=1")
	f.Add("cc-"+anID+"-"+aSpan+"-01-more", "a=1, b=2,,")
	f.Add("00-"+anID+"-"+aSpan+"-0", " ")
	f.Fuzz(func(t *testing.T, parent, state string) {
		got := Read(http.Header{parentHeader: {parent}, stateHeader: {state}})
		if got == nil {
			return
		}
		if got.ID == [16]byte{} || got.Span == [8]byte{} || got.Flags&^knownFlags != 0 || len(got.State) > maxState {
			t.Fatalf("%q, %q: got %+v", parent, state, got)
		}
		h := http.Header{}
		write(h, *got)
		if again := Read(h); again == nil || *again != *got {
			t.Fatalf("%q, %q: written again it is %+v, want %+v", parent, state, again, got)
		}
	})
}

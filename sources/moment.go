package sources

import "time"

// Moment is a time that orders events, as a payload tells it. One far off the
// truth would freeze its contact: no later event could ever overwrite what it
// wrote. So it is looked at before it is believed.
type Moment struct {
	Name string    // of the field that holds it; "" if none does
	Time time.Time // zero if the field holds no time
}

// The span in which times of events are believed. No vendor's records go back
// to before 2010, while a time in the wrong unit mostly falls into 1970.
const (
	oldest = 2010
	newest = 24 * time.Hour
)

// ReadMoment takes the first of the fields that is known.
func ReadMoment(from Value, names ...string) Moment {
	for _, name := range names {
		if v := from.Get(name); v.Known() {
			t, _ := v.Time()
			return Moment{name, t}
		}
	}
	return Moment{}
}

// Problem says why the time is not to be believed at now, and "" if it is, or
// if there is none.
func (m Moment) Problem(now time.Time) string {
	switch {
	case m.Name == "":
		return ""
	case m.Time.IsZero():
		return m.Name + " is no time"
	case m.Time.Year() < oldest:
		return m.Name + " is before 2010"
	case m.Time.After(now.Add(newest)):
		return m.Name + " is more than 24 hours ahead"
	}
	return ""
}

// Package doctor looks at the machine that crmsyncd runs on: disk, files,
// limits, names, addresses, certificates, clocks, the systemd unit. Each thing
// that it looks at gives a Finding, which says how to mend what is not right. It
// knows no settings, no ledger and no CRM, and it changes nothing: who calls it
// says what to look at.
package doctor

// State is how good a thing is.
type State string

// The states.
const (
	OK   State = "ok"
	Warn State = "warn" // works now, may not tomorrow
	Fail State = "FAIL" // something does not work
)

// Finding is one thing that was looked at.
type Finding struct {
	ID    string `json:"id"`    // names what was found, such as "disk-full", and stays so
	About string `json:"about"` // such as "disk" or "connector hubspot"
	State State  `json:"state"`
	What  string `json:"what"`           // how it is
	Mend  string `json:"mend,omitempty"` // what to do, where it is not ok
}

// Fine is a Finding that all is well.
func Fine(id, about, what string) Finding {
	return Finding{ID: id, About: about, State: OK, What: what}
}

// Doubt is a Finding that works now.
func Doubt(id, about, what, mend string) Finding { return Finding{id, about, Warn, what, mend} }

// Bad is a Finding that something does not work.
func Bad(id, about, what, mend string) Finding { return Finding{id, about, Fail, what, mend} }

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
	About string `json:"about"` // such as "disk" or "connector hubspot"
	State State  `json:"state"`
	What  string `json:"what"`           // how it is
	Mend  string `json:"mend,omitempty"` // what to do, where it is not ok
}

// Fine, Doubt and Bad make Findings.
func Fine(about, what string) Finding { return Finding{About: about, State: OK, What: what} }

// Doubt is a Finding that works now.
func Doubt(about, what, mend string) Finding { return Finding{about, Warn, what, mend} }

// Bad is a Finding that something does not work.
func Bad(about, what, mend string) Finding { return Finding{about, Fail, what, mend} }

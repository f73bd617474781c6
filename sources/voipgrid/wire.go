package voipgrid

import (
	"strings"
	"time"
	"unicode"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
)

// notification is a payload on its way into the common model.
type notification struct {
	status   string // with hyphens
	reason   string
	version2 bool
	at       sources.Moment
	caller   participant
	targets  []participant
	call     *event.Call
	contact  *event.Contact
}

// participant is somebody on the phone.
type participant struct {
	number  string // as it stands there
	name    string
	account string   // internal number of the VoIP account; "" for those outside
	users   []string // internal numbers of the account's users
	emails  []string // of the users, who are colleagues always
}

var hyphens = strings.NewReplacer("_", "-", " ", "-")

// read takes what the payload says whatever its status; tell adds what follows
// from that.
func read(doc sources.Value, country string) *notification {
	destination := doc.Get("destination")
	n := &notification{
		status:   hyphens.Replace(doc.Get("status").Word()),
		reason:   hyphens.Replace(doc.Get("reason").Word()),
		version2: isVersion2(doc),
		at:       sources.ReadMoment(doc, "timestamp"),
		caller:   readParticipant(doc.Get("caller")),
		targets:  readTargets(destination),
	}
	dialled := readParticipant(destination)
	n.call = &event.Call{
		ID:        doc.Get("call_id").Text(),
		MergedID:  doc.Get("merged_id").Text(),
		Direction: n.direction(doc.Get("direction").Word(), dialled),
	}
	n.call.From = n.address(n.caller, country)
	n.call.To = n.address(dialled, country)
	if n.call.MergedID == n.call.ID {
		n.call.MergedID = ""
	}
	switch n.call.Direction {
	case "inbound":
		// A colleague who calls in, by a fixed destination say, is nobody's contact.
		if !n.caller.internal() {
			n.contact = n.caller.contact(country)
		}
	case "outbound":
		if !dialled.internal() {
			// Only the number: what stands there is what a colleague typed.
			n.contact = participant{number: dialled.number}.contact(country)
		}
	}
	if c := n.call; c.ID == "" && c.MergedID == "" && c.From == "" && c.To == "" {
		n.call = nil
	}
	return n
}

// tell adds what a notification of that kind says of its call; now stands in
// for a time that is missing.
func (n *notification) tell(t event.Type, status string, now time.Time) {
	c, at := n.call, n.at.Time
	if at.IsZero() {
		at = now
	}
	c.Status = status
	if c.Direction != "inbound" {
		c.Agent = n.caller.agent()
	}
	switch t {
	case event.CallCreated, event.CallRinging:
		c.StartedAt = at
	case event.CallAnswered:
		c.AnsweredAt = at
		n.answering()
	case event.CallTransferred:
		switch {
		case n.status == "warm-transfer":
			c.Transfer = "warm"
			n.answering()
		case n.status == "cold-transfer" || len(n.targets) > 1: // a warm one has one target
			c.Transfer = "cold"
		default:
			n.answering() // if it turns out to be warm; event.Join drops it else
		}
	case event.CallEnded:
		c.EndedAt, c.Reason = at, n.reason
		c.Status = "unknown"
		if s, ok := reasons[n.reason]; ok {
			c.Status = s
		}
	}
}

// answering makes the target of an inbound call its agent, where it is sure
// who that is. Who transferred the call is not the agent any more.
func (n *notification) answering() {
	if n.call.Direction == "inbound" && len(n.targets) == 1 {
		n.call.Agent = n.targets[0].agent()
	}
}

// isVersion2 also takes payloads that name no version, unless they have the
// parties of the older one.
func isVersion2(doc sources.Value) bool {
	switch v := doc.Get("version").Word(); {
	case v == "v2" || v == "2" || strings.HasPrefix(v, "v2."):
		return true
	case v != "":
		return false
	}
	return doc.Get("caller").Known() && !doc.Get("party1").Known() && !doc.Get("party2").Known()
}

// direction is internal where nobody outside takes part: calls between
// colleagues are marked as outbound.
func (n *notification) direction(word string, dialled participant) string {
	switch word {
	case "inbound", "outbound", "internal":
	default:
		word = "unknown"
	}
	if !n.caller.internal() {
		return word
	}
	if len(n.targets) == 0 {
		if !dialled.internal() {
			return word
		}
		return "internal"
	}
	for _, t := range n.targets {
		if !t.ours() {
			return word
		}
	}
	return "internal"
}

// readTargets takes targets[], and the single target of older payloads.
func readTargets(destination sources.Value) []participant {
	var out []participant
	for _, name := range []string{"targets", "target"} {
		switch v := destination.Get(name); {
		case len(out) > 0:
		case v.IsObject() && v.Known():
			out = append(out, readParticipant(v))
		default:
			for item := range v.Items() {
				if item.Known() {
					out = append(out, readParticipant(item))
				}
			}
		}
	}
	return out
}

func readParticipant(v sources.Value) participant {
	if !v.IsObject() {
		return participant{number: v.Text()}
	}
	p := participant{
		number: v.Get("number").Text(),
		name:   v.Get("name").Text(),
		users:  texts(v.Get("user_numbers")),
		emails: texts(v.Get("user_emails")),
	}
	// The vendor's page calls it one number here and several there.
	if accounts := texts(v.Get("account_number")); len(accounts) > 0 {
		p.account = accounts[0]
	}
	return p
}

// texts takes a list, or a single value as a list of one.
func texts(v sources.Value) (out []string) {
	if t := v.Text(); t != "" {
		return []string{t}
	}
	for item := range v.Items() {
		if t := item.Text(); t != "" {
			out = append(out, t)
		}
	}
	return out
}

// internal reports whether the participant is a colleague: it has an account
// here, or a number of two to four digits. 00 and 0000 stand for a number that
// is withheld.
func (p participant) internal() bool {
	return p.account != "" || isDigits(p.number) && len(p.number) >= 2 && len(p.number) <= 4 && !sources.Withheld(p.number)
}

// ours is internal, or a colleague's phone elsewhere: a fixed destination has
// no account, but users.
func (p participant) ours() bool { return p.internal() || len(p.users) > 0 || len(p.emails) > 0 }

// longestExtension is the digits up to which the number of an account is an
// extension. The library that knows numbers takes five for a German one.
const longestExtension = 6

// address is a participant's number in E.164, or the digits of an extension;
// "" for numbers that are withheld, and for what stands in their place.
func (n *notification) address(p participant, country string) string {
	if sources.Withheld(p.number) && p.account != p.number {
		return ""
	}
	short := isDigits(p.number) && len(p.number) <= longestExtension
	if short && (p.internal() || n.call.Direction == "internal") {
		return p.number
	}
	if number := phone(p.number, country); number != "" {
		return number
	}
	if short {
		return p.number
	}
	return ""
}

// phone is a number in E.164. What the exchange gives as such is taken where
// our list of the world's numbers does not know it.
func phone(raw, country string) string {
	if number := sources.Phone(raw, country); number != "" {
		return number
	}
	if digits, ok := strings.CutPrefix(raw, "+"); ok && isDigits(digits) && len(digits) >= 10 && len(digits) <= 15 && digits[0] != '0' && !sources.Withheld(raw) {
		return raw
	}
	return ""
}

// agent is the participant as a colleague; nil if nothing tells which one. The
// number that all of a company's calls show is nobody's.
func (p participant) agent() *event.Person {
	a := &event.Person{Name: p.person(), Number: p.account}
	if len(p.users) > 0 {
		a.Number = p.users[0]
	}
	if a.Number == "" && p.internal() {
		a.Number = p.number
	}
	if len(p.emails) > 0 {
		a.Email = sources.Email(p.emails[0])
	}
	if *a == (event.Person{}) {
		return nil
	}
	return a
}

// contact is the participant as the external party; nil without a number, as
// nobody could find such a contact again. A name is "Name" or "Name | Company".
func (p participant) contact(country string) *event.Contact {
	number := phone(p.number, country)
	if number == "" {
		return nil
	}
	name, company, _ := strings.Cut(p.person(), " | ")
	return &event.Contact{Phone: number, FullName: strings.TrimSpace(name), Company: strings.TrimSpace(company)}
}

// nobody are names that phones show where there is none.
var nobody = map[string]bool{"anonymous": true, "unknown": true, "private": true, "restricted": true, "withheld": true, "unavailable": true, "anoniem": true, "anonym": true, "unbekannt": true}

// person is the name, if it is one: some phones give their number for it.
func (p participant) person() string {
	if !strings.ContainsFunc(p.name, unicode.IsLetter) || nobody[strings.ToLower(p.name)] {
		return ""
	}
	return p.name
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

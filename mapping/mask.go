package mapping

import "slices"

// Masked stands for a value that is not shown.
const Masked = "•••"

// plainPaths are those of the model that say nothing about who somebody is or
// what was said. Whatever else a value is made of, it may.
var plainPaths = []string{
	"event.id", "event.type", "event.source", "event.vendor", "event.occurred_at", "event.received_at", "event.origin",
	"call.id", "call.status", "call.direction", "call.started_at", "call.answered_at", "call.ended_at", "call.duration", "call.attempt", "call.reason", "call.appointment_at", "call.merged_id", "call.transfer",
	"contact.id", "contact.external_id", "contact.status", "contact.status_changed_at", "contact.reached_at", "contact.lifecycle", "contact.language", "contact.timezone",
	"conversation.id", "conversation.status", "conversation.channel", "conversation.category", "conversation.opened_at", "conversation.closed_at",
	"message.id", "message.direction", "message.type", "message.channel", "message.sent_at",
}

// Personal reports whether the value at a path of the model may say who somebody
// is or what was said.
func Personal(path string) bool { return !slices.Contains(plainPaths, path) }

// Mask takes out what may be personal: every value that was read from such a
// path, and every field and match that is made of one. Missing stays missing.
func (x *Explanation) Mask() {
	x.Reads, _ = maskInputs(x.Reads)
	for i := range x.False {
		x.False[i].Reads, _ = maskInputs(x.False[i].Reads)
	}
	for i := range x.Records {
		rec := &x.Records[i]
		var hidden []string // fields
		for j := range rec.Fields {
			f := &rec.Fields[j]
			var personal bool
			if f.Reads, personal = maskInputs(f.Reads); personal || f.whole {
				hidden = append(hidden, f.Name)
				if f.Value != nil {
					f.Value = Masked
				}
				if f.CRM != nil && f.CRM.Value != nil {
					made := *f.CRM
					made.Value = Masked
					f.CRM = &made
				}
			}
		}
		for j, key := range rec.keys {
			text := ""
			for n, name := range key {
				if n > 0 {
					text += " and "
				}
				if slices.Contains(hidden, name) {
					text += name + " = " + Masked
				} else {
					text += rec.terms[j][n]
				}
			}
			rec.Match[j] = text
		}
	}
}

// maskInputs is a copy without personal values; personal tells that there was
// one.
func maskInputs(inputs []Input) (out []Input, personal bool) {
	for _, in := range inputs {
		if in.Value != nil && Personal(in.Path) {
			in.Value, personal = Masked, true
		}
		out = append(out, in)
	}
	return out, personal
}

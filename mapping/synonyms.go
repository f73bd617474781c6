package mapping

import (
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// Hints for what is written otherwise here than people expect.
const (
	fieldCondition = "a condition of its own stands in the formula: =condition ? value : nil"
	fieldTable     = `write =table("name", call.status)`
	onlyUpdate     = "to only update what is there write create: false"
)

// otherKeys are keys as other programs call them, by the keys that are known
// at a place, and what to write. A word of known keys is "did you mean".
var otherKeys = []struct {
	known *[]string
	words map[string]string
}{
	{&ruleKeys, map[string]string{
		"trigger": "on", "triggers": "on", "event": "on", "events": "on", "type": "on", "source": "from", "sources": "from", "sender": "from",
		"if": "when", "condition": "when", "conditions": "when", "filter": "when", "where": "when", "unless": "when",
		"connector": "to", "crm": "to", "target": "to", "destination": "to", "actions": "records", "action": "records", "objects": "records", "object": "records", "steps": "records", "do": "records", "then": "records",
		"active": "enabled", "disabled": "enabled", "disable": "enabled", "title": "name", "id": "name", "comment": "description", "note": "description", "shadow": "mode",
	}},
	{&recordKeys, map[string]string{
		"type": "object", "table": "object", "entity": "object", "module": "object", "name": "as", "alias": "as", "id": "match", "find": "match", "find_by": "match", "lookup": "match", "search": "match", "filter": "match", "key": "match", "keys": "match", "unique": "match", "where": "match", "upsert": "match",
		"values": "fields", "properties": "fields", "columns": "fields", "data": "fields", "set": "fields", "attributes": "fields",
		"associate": "link", "associations": "link", "association": "link", "associated": "link", "relations": "link", "relate": "link", "to": "link",
		"update": onlyUpdate, "update_only": onlyUpdate, "when": "a condition stands at the rule; write a rule of its own for this record", "if": "a condition stands at the rule; write a rule of its own for this record", "duplicates": "on_many", "multiple": "on_many",
	}},
	{&fieldKeys, map[string]string{
		"formula": "value", "text": "value", "from": "value", "source": "value", "path": "value", "when": fieldCondition, "condition": fieldCondition, "unless": fieldCondition, "only_if": "if", "write": "if", "overwrite": "if",
		"default": `write =value ?? "other"`, "fallback": `write =value ?? "other"`, "else": `write =value ?? "other"`, "table": fieldTable, "lookup": fieldTable, "map": fieldTable, "mapping": fieldTable, "type": "the value is made right for the CRM's field by itself; leave it out", "format": `write =date(call.started_at, "DD.MM.YYYY")`, "clear": "missing", "empty": "missing",
	}},
	{&linkKeys, map[string]string{"object": "to", "record": "to", "name": "to", "with": "to", "label": "type", "association": "type", "role": "type", "column": "field", "property": "field"}},
}

// unknownKey is the problem of a key that is not among those known here.
func unknownKey(key *diag.Node, known []string) diag.Problem {
	p := diag.UnknownKey(key, known)
	if diag.Suggest(key.Value, known) != "" {
		return p
	}
	for _, other := range otherKeys {
		if word := other.words[strings.ToLower(key.Value)]; word != "" && slices.Equal(*other.known, known) {
			if p.Hint = word; slices.Contains(known, word) {
				p.Hint = "did you mean " + word + "?"
			}
		}
	}
	return p
}

// foreignWords are types of events as people and vendors call them, and how
// they are told here.
var foreignWords = map[string]string{
	"*": "name the types; there is no word for all", "all": "name the types; there is no word for all", "any": "name the types; there is no word for all",
	"missed": missedCall, "call.missed": missedCall, "missed_call": missedCall, "call_missed": missedCall, "voicemail": missedCall, "call.voicemail": missedCall,
	"call.finished": "did you mean call.ended?", "call.completed": "did you mean call.ended?", "call.hangup": "did you mean call.ended?", "hangup": "did you mean call.ended?", "call.closed": "did you mean call.ended?", "call": "did you mean call.ended?", "calls": "did you mean call.ended?",
	"call.started": "did you mean call.created or call.ringing?", "contact": "did you mean contact.created or contact.updated?", "contacts": "did you mean contact.created or contact.updated?",
	"message": "did you mean message.received or message.sent?", "conversation": "did you mean conversation.opened or conversation.closed?", "conversation.created": "did you mean conversation.opened?", "conversation.ended": "did you mean conversation.closed?",
}

const missedCall = `it is told as call.ended: write on: call.ended and when: =call.status in ["not_reached", "abandoned", "busy", "voicemail"]`

// eventHint says which type of event a word stands for.
func eventHint(word string, known []string) string {
	low := strings.ToLower(strings.TrimSpace(word))
	if hint := foreignWords[low]; hint != "" {
		return hint
	}
	if strings.HasPrefix(low, "=") {
		return "on: takes types; a condition stands in when:"
	}
	if s := diag.DidYouMean(word, known); s != "" {
		return s
	}
	group, _, _ := strings.Cut(strings.ReplaceAll(low, "_", "."), ".")
	near := slices.DeleteFunc(slices.Clone(known), func(t string) bool { return !strings.HasPrefix(t, group+".") })
	if len(near) == 0 {
		near = known
	}
	return "known here: " + strings.Join(near, ", ")
}

package starter

import (
	"maps"
	"slices"
	"strings"
)

// Sender is who sends webhooks, and what is known of them.
type Sender struct {
	Name     string // in config.yaml, and in commands
	Label    string // for people
	Settings string // its block in config.yaml
	Secrets  []Secret
	Note     string // what the head of the mapping says about it
	Sample   string // a made-up payload that crmsyncd explain knows; "" if there is none

	Token    bool // the address ends in a token
	Address  bool // signs the address that it calls
	Mail     bool // payloads name e-mail addresses
	Named    bool // payloads name first and last names
	Statuses bool // tells contact.status_changed
	Chat     bool // tells conversations and contacts as well

	// Formulas for the external party.
	FullName, LastName, Email, Company string
}

// Secret is one that the settings take from the environment.
type Secret struct {
	Env  string
	Help string // where to find it
	Try  string // one that is good enough to try things out
}

// The four senders that have a package of their own.
var senders = []Sender{
	{
		Name: "telli", Label: "telli", Sample: "call_completed", Mail: true, Named: true, Statuses: true,
		Settings: "type: telli\nsigning_secret: ${TELLI_SIGNING_SECRET}      # or a list, while you change it\n",
		Secrets:  []Secret{{"TELLI_SIGNING_SECRET", "telli: Settings, API & Webhooks, the endpoint's signing secret", "whsec_c2VjcmV0LWZvci10cnlpbmctb3V0"}},
	},
	{
		Name: "voipgrid", Label: "VoIPGRID", Sample: "call_completed", Token: true,
		Settings: "type: voipgrid\ntoken: ${VOIPGRID_TOKEN}                      # the end of the address; VoIPGRID and Voys sign nothing\n",
		Secrets:  []Secret{{"VOIPGRID_TOKEN", "make one: openssl rand -hex 24", "for-trying-out-0123456789abcdef-0123456789abcdef"}},
	},
	{
		Name: "respondio", Label: "respond.io", Sample: "conversation_closed", Mail: true, Named: true, Chat: true,
		Settings: "type: respondio\nsigning_keys: [\"${RESPONDIO_KEY}\"]            # of all webhooks of the workspace; each has its own\n",
		Secrets:  []Secret{{"RESPONDIO_KEY", "respond.io: Settings, Integrations, Webhooks, the signing key", "key-for-trying-out-0123456789"}},
	},
	{
		Name: "sipgate", Label: "sipgate", Sample: "agent_call", Token: true, Mail: true,
		Settings: "type: sipgate\ntoken: ${SIPGATE_TOKEN}                       # the end of the address; sipgate's AI products sign nothing\n",
		Secrets:  []Secret{{"SIPGATE_TOKEN", "make one: openssl rand -hex 24", "for-trying-out-0123456789abcdef-0123456789abcdef"}},
		Note:     "Name des Anrufers, E-Mail and Firma are questions of the AI agent: write your own agent's in their place.",
		FullName: `call.answers["Name des Anrufers"] ?? contact.full_name ?? contact.phone ?? "unknown"`,
		LastName: `call.answers["Name des Anrufers"] ?? contact.full_name ?? contact.phone`,
		Email:    `contact.email ?? call.answers["E-Mail"]`,
		Company:  `call.answers["Firma"] ?? contact.company`,
	},
}

// presets are the labels of vendors that the source type webhook knows.
var presets = map[string]string{
	"aircall": "Aircall", "dialpad": "Dialpad", "elevenlabs": "ElevenLabs", "justcall": "JustCall",
	"placetel": "Placetel", "retell": "Retell", "twilio": "Twilio", "vapi": "Vapi",
}

// Senders are all that Make knows: the four first, then the presets.
func Senders() []Sender {
	out := slices.Clone(senders)
	for _, name := range slices.Sorted(maps.Keys(presets)) {
		out = append(out, preset(name, presets[name]))
	}
	for i := range out {
		s := &out[i]
		fill(&s.FullName, `contact.full_name ?? contact.phone ?? "unknown"`)
		fill(&s.LastName, `contact.last_name ?? contact.full_name ?? contact.phone`)
		fill(&s.Email, "contact.email")
		fill(&s.Company, "contact.company")
	}
	return out
}

func preset(name, label string) Sender {
	env := strings.ToUpper(name) + "_SECRET"
	return Sender{
		Name: name, Label: label, Mail: true, Named: true, Address: name == "twilio" || name == "justcall",
		Settings: "type: webhook\npreset: " + name + "\nsecret: ${" + env + "}\n",
		Secrets:  []Secret{{env, "docs/any-vendor.md says where " + label + " shows it", "secret-for-trying-out-0123456789"}},
	}
}

func fill(s *string, otherwise string) {
	if *s == "" {
		*s = otherwise
	}
}

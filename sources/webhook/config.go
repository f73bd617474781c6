package webhook

import (
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// Vendor is the type of these sources in config.yaml.
const Vendor = "webhook"

// Config is a source of type webhook in config.yaml. What is a formula, or
// holds formulas, stays a node until New, so that problems have their place.
type Config struct {
	Preset         string          `yaml:"preset" doc:"settings for a vendor that is known; every other key here goes before the preset's, events, statuses, directions, tables and fields entry by entry"`
	Secret         []config.Secret `yaml:"secret" doc:"secret that auth proves the sender by, where an entry of it names none of its own; a list while it is being changed"`
	Auth           []Authenticator `yaml:"auth" doc:"what proves the sender; all of it must. [] for nothing but token and allow_from"`
	Body           string          `yaml:"body" doc:"json, form or jwt, whatever the content type says; default: by the content type"`
	Event          *diag.Node      `yaml:"event" doc:"formula that gives the vendor's word for what happened, such as =raw.event"`
	Events         *diag.Node      `yaml:"events" doc:"types of events by the vendor's words, such as hangup: call.ended; what is not there is unknown"`
	DeliveryID     *diag.Node      `yaml:"delivery_id" doc:"formula that gives the vendor's id of the message, the same over its retries"`
	DeliveryHeader string          `yaml:"delivery_header" doc:"header that holds the vendor's id of the message"`
	OccurredAt     *diag.Node      `yaml:"occurred_at" doc:"formula that gives when it happened; default: the time that the fields tell, else when it came"`
	Identity       *diag.Node      `yaml:"identity" doc:"formula that is the same for the same occurrence, whichever way it comes; default: by the vendor's word and the id of call, contact or message"`
	Fields         *diag.Node      `yaml:"fields" doc:"formulas by path of the model, such as call.id: =raw.id"`
	Transcripts    []string        `yaml:"transcripts" doc:"names in the payload, or paths such as call.messages, that hold what was said; with privacy.store_transcripts: false they are not kept, nor is what call.transcript is made of or what is called a transcript"`
	Statuses       *diag.Node      `yaml:"statuses" doc:"values of call.status by the vendor's words, such as no-answer: not_reached"`
	Directions     *diag.Node      `yaml:"directions" doc:"inbound, outbound or internal by the vendor's words"`
	Tables         *diag.Node      `yaml:"tables" doc:"lists of values by key for table(\"name\", key), as in mapping.yaml"`
	Joined         *bool           `yaml:"joined" doc:"a call is told by several events, which are to be read as one story; default: false, but true with most presets"`
	CloseAfter     time.Duration   `yaml:"close_after" doc:"a joined call that has not ended this long after its last event is closed; default 0: never, but 4h with presets"`
	Answer         *Answer         `yaml:"answer" doc:"what the vendor wants to be answered"`
	Timezone       config.Timezone `yaml:"timezone" doc:"time zone of times without one, such as Europe/Berlin; default: defaults.timezone, with a preset UTC"`
	Country        string          `yaml:"country" doc:"country of numbers without country code, such as DE; default: defaults.country"`
	BaseURL        string          `yaml:"base_url" doc:"address of the vendor's API; nothing is asked of it"`
}

// Answer is what an accepted request is answered.
type Answer struct {
	Type string `yaml:"type,required" doc:"media type, such as text/plain"`
	Body string `yaml:"body,required" doc:"the text"`
}

// Authenticator is one proof of the sender; exactly one of its fields is set.
type Authenticator struct {
	HMAC             *HMAC   `yaml:"hmac" doc:"signature by a shared secret in a header"`
	StandardWebhooks *Shared `yaml:"standard_webhooks" doc:"signature by the Standard Webhooks specification, also Svix's"`
	JWT              *JWT    `yaml:"jwt" doc:"the body is a JSON Web Token, signed with HS256"`
	Header           *Header `yaml:"header" doc:"secret in a header"`
	Field            *Field  `yaml:"field" doc:"secret in the body"`

	node *diag.Node
}

// UnmarshalNode implements diag.Unmarshaler: one kind of proof, whose settings
// may be left out, as in "- jwt:".
func (a *Authenticator) UnmarshalNode(n *diag.Node) diag.Problems {
	if n.Shape != diag.Mapping || len(n.Pairs) != 1 {
		return diag.Problems{n.Problem("wants one kind of proof with its settings", "write it like hmac: {header: X-Signature}")}
	}
	only := *n
	if p := n.Pairs[0]; p.Value.Null {
		empty := *p.Value
		empty.Shape, empty.Null = diag.Mapping, false
		only.Pairs = []diag.Pair{{Key: p.Key, Value: &empty}}
	}
	type plain Authenticator
	ps := only.Decode((*plain)(a))
	a.node = n.Pairs[0].Value
	return ps
}

// Shared is a proof that takes nothing but a secret.
type Shared struct {
	Secret []config.Secret `yaml:"secret" doc:"secrets of this proof; default: those of the source"`
}

// HMAC is a signature in a header.
type HMAC struct {
	Secret    []config.Secret `yaml:"secret" doc:"secrets of this proof; default: those of the source"`
	Decode    string          `yaml:"decode" doc:"base64 or hex where the secret is written so; default: it is taken as it is written"`
	Header    string          `yaml:"header,required" doc:"header that holds the signature"`
	Part      string          `yaml:"part" doc:"name of the signature where the header has several parts, as v1 in t=…,v1=…"`
	Prefix    string          `yaml:"prefix" doc:"what stands before the signature, such as sha256="`
	Algorithm string          `yaml:"algorithm" doc:"sha256, sha1 or sha512; default sha256"`
	Encoding  string          `yaml:"encoding" doc:"hex, base64 or base64url; default hex"`
	Signs     string          `yaml:"signs" doc:"what is signed, put together of {body} {timestamp} {url} {url_encoded} {fields} {secret} {header.NAME} {raw.PATH}; default {body}"`
	Timestamp *Timestamp      `yaml:"timestamp" doc:"where the time of signing stands"`
	Tolerance time.Duration   `yaml:"tolerance" doc:"how far that time may be from this machine's clock; default 5m"`
}

// Timestamp is where the time of signing stands: a part of the signature's
// header, or a header of its own.
type Timestamp struct {
	Part   string `yaml:"part" doc:"name of the part, as t in t=…,v1=…"`
	Header string `yaml:"header" doc:"header that holds it"`
}

// JWT is a body that is a signed token.
type JWT struct {
	Secret    []config.Secret `yaml:"secret" doc:"secrets of this proof; default: those of the source"`
	Tolerance time.Duration   `yaml:"tolerance" doc:"how old the token's iat may be; default 0: any age, as not every vendor sends it"`
}

// Header is a secret in a header.
type Header struct {
	Secret []config.Secret `yaml:"secret" doc:"secrets of this proof; default: those of the source"`
	Name   []string        `yaml:"name,required" doc:"header that holds the secret, with or without Bearer before it; one of a list"`
}

// Field is a secret in the body.
type Field struct {
	Secret []config.Secret `yaml:"secret" doc:"secrets of this proof; default: those of the source"`
	Path   string          `yaml:"path,required" doc:"where it stands, such as raw.token"`
}

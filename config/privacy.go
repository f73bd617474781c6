package config

import "github.com/crmsyncd/crmsyncd/internal/diag"

// Privacy says what of people the ledger keeps, and how.
type Privacy struct {
	EncryptionKeys   []Secret `yaml:"encryption_keys" doc:"what the ledger holds of people is encrypted with the first, and read with all: base64 of 32 random bytes (openssl rand -base64 32); none in the first place turns encryption off; default: not encrypted"`
	StoreTranscripts bool     `yaml:"store_transcripts" doc:"whether what was said in calls, word by word, is kept; with false it reaches no CRM either; default true"`

	Keys []KeyPlace `yaml:"-"` // of EncryptionKeys
}

// KeyPlace is where a key stands in the file.
type KeyPlace struct {
	Node *diag.Node
	// Missing says that its ${…} leads nowhere: what stands there is no key.
	Missing bool
}

func keyPlaces(n *diag.Node, missing func(*diag.Node) bool) (out []KeyPlace) {
	items := []*diag.Node{n}
	switch {
	case n == nil || n.Null:
		return nil
	case n.Shape == diag.Sequence:
		items = n.Items
	}
	for _, item := range items {
		out = append(out, KeyPlace{item, missing(item)})
	}
	return out
}

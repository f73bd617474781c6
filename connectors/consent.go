package connectors

import "context"

// Vault keeps the one value that a connector must neither lose nor show: its
// OAuth tokens. Connectors seal what they put in. All instances of a connector
// within the daemon, such as those before and after a reload, share one.
type Vault interface {
	// Load returns what is kept, or nil if nothing is.
	Load(ctx context.Context) ([]byte, error)
	// Update has change make a new value of the one kept, and returns once that
	// is on disk. One runs at a time. Once change has begun, it and the keeping
	// go on to their end although ctx may be over. A change that returns what
	// it got, or an error, changes nothing.
	Update(ctx context.Context, change func(ctx context.Context, old []byte) ([]byte, error)) error
}

// Consenter is a Connector to which a person may grant access in a browser.
type Consenter interface {
	// Consent is nil where the settings hold a token instead.
	Consent() Consent
}

// Consent is how a person grants a connector access in a browser.
type Consent interface {
	// Begin makes an attempt whose answer comes to redirect, an address that
	// the vendor must know.
	Begin(redirect string) Attempt
	// Grant trades the code that came to the attempt's Redirect for tokens,
	// keeps them, and asks the vendor for the account that they are for. They
	// stay kept where that question fails.
	Grant(ctx context.Context, a Attempt, code string) (Granted, error)
	// Keep uses the access if it was not used lately: vendors end one that
	// rests for weeks. It is called about daily.
	Keep(ctx context.Context) error
}

// Attempt is one attempt of a person to grant access.
type Attempt struct {
	Page     string // the vendor's page that asks for the consent
	State    string // comes back with the code; anything else is not the answer
	Redirect string
	Verifier string // proves that the code is traded by whom the page was for; "" where the vendor knows no such proof
}

// Granted is what came of a consent.
type Granted struct {
	Account string // as people know it
	Before  string // the account of the tokens before, if it was another one
}

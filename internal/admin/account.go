package admin

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
)

// Account is a connector's account as the running daemon sees it, which alone
// has the tokens: what the account has, what it would take, records that are looked
// up, and the making of fields. No record is written, and no token comes out.
type Account struct {
	client *Client
	name   string
}

var (
	_ connectors.Connector   = (*Account)(nil)
	_ connectors.Checker     = (*Account)(nil)
	_ connectors.Lister      = (*Account)(nil)
	_ connectors.Provisioner = (*Account)(nil)
)

// What can be asked of an account.
const (
	askOpen     = "open" // forget what was read before
	askDescribe = "describe"
	askObjects  = "objects"
	askField    = "field"
	askValue    = "value"
	askKey      = "key"
	askLink     = "link"
	askPropose  = "propose"
	askCreate   = "create"
	askFind     = "find"
)

// question is the body of a request to /api/connectors/{name}/account.
type question struct {
	Ask     string             `json:"ask"`
	Object  string             `json:"object,omitempty"`
	Objects []string           `json:"objects,omitempty"`
	Name    string             `json:"name,omitempty"`
	Fields  []connectors.Field `json:"fields,omitempty"` // one, unless a key is asked about
	Value   any                `json:"value,omitempty"`
	Link    connectors.Link    `json:"link,omitzero"`
	Matches []connectors.Match `json:"matches,omitempty"` // values packed
}

type accountAnswer struct {
	Schema  connectors.Schema `json:"schema,omitempty"`
	Objects []string          `json:"objects,omitempty"`
	Field   connectors.Field  `json:"field,omitzero"`
	Manual  string            `json:"manual,omitempty"`
	Found   []foundAnswer     `json:"found,omitempty"`
	Error   *accountError     `json:"error,omitempty"`
}

// accountError is a connectors.Error without its cause.
type accountError struct {
	Kind    connectors.Kind `json:"kind"`
	Code    string          `json:"code,omitempty"`
	Field   string          `json:"field,omitempty"`
	Message string          `json:"message,omitempty"`
	IDs     []string        `json:"ids,omitempty"`
	Wait    time.Duration   `json:"wait,omitempty"` // nanoseconds
	Account bool            `json:"account,omitempty"`
	Park    bool            `json:"park,omitempty"`
}

func errorAnswer(err error) *accountError {
	e := connectors.AsError(err)
	if e == nil {
		return nil
	}
	message := e.Message
	if message == "" && e.Err != nil {
		message = e.Err.Error()
	}
	return &accountError{e.Kind, e.Code, e.Field, message, e.IDs, e.Wait, e.Account, e.Park}
}

func (e *accountError) error() *connectors.Error {
	if e == nil {
		return nil
	}
	return &connectors.Error{Kind: e.Kind, Code: e.Code, Field: e.Field, Message: e.Message, IDs: e.IDs, Wait: e.Wait, Account: e.Account, Park: e.Park}
}

// Account returns a connector's account by way of the daemon, which forgets
// what it read of it before.
func (c *Client) Account(ctx context.Context, connector string) (*Account, error) {
	a := &Account{c, connector}
	_, err := a.ask(ctx, question{Ask: askOpen})
	return a, err
}

func (a *Account) ask(ctx context.Context, q question) (out accountAnswer, err error) {
	return out, a.client.send(ctx, "/api/connectors/"+url.PathEscape(a.name)+"/account", q, &out)
}

// verdict asks a question whose answer is an error or none.
func (a *Account) verdict(ctx context.Context, q question) (accountAnswer, *connectors.Error) {
	out, err := a.ask(ctx, q)
	if err != nil {
		return out, connectors.AsError(err)
	}
	return out, out.Error.error()
}

// Describe implements connectors.Connector.
func (a *Account) Describe(ctx context.Context, objects []string) (connectors.Schema, error) {
	out, err := a.verdict(ctx, question{Ask: askDescribe, Objects: objects})
	if err != nil {
		return nil, err
	}
	return out.Schema, nil
}

var errNoWrites = errors.New("records are not written by way of the daemon")

// Write implements connectors.Connector; it is always an error.
func (a *Account) Write(context.Context, []connectors.Change) ([]connectors.Result, error) {
	return nil, errNoWrites
}

// Objects implements connectors.Lister.
func (a *Account) Objects(ctx context.Context) ([]string, error) {
	out, err := a.verdict(ctx, question{Ask: askObjects})
	if err != nil {
		return nil, err
	}
	return out.Objects, nil
}

// CheckField implements connectors.Checker.
func (a *Account) CheckField(ctx context.Context, object, name string) (connectors.Field, *connectors.Error) {
	out, err := a.verdict(ctx, question{Ask: askField, Object: object, Name: name})
	return out.Field, err
}

// CheckValue implements connectors.Checker.
func (a *Account) CheckValue(ctx context.Context, object string, f connectors.Field, v connectors.Value) *connectors.Error {
	_, err := a.verdict(ctx, question{Ask: askValue, Object: object, Fields: []connectors.Field{f}, Value: packed(v)})
	return err
}

// CheckKey implements connectors.Checker.
func (a *Account) CheckKey(ctx context.Context, object string, fields []connectors.Field) *connectors.Error {
	_, err := a.verdict(ctx, question{Ask: askKey, Object: object, Fields: fields})
	return err
}

// CheckLink implements connectors.Checker.
func (a *Account) CheckLink(ctx context.Context, object string, l connectors.Link) *connectors.Error {
	_, err := a.verdict(ctx, question{Ask: askLink, Object: object, Link: l})
	return err
}

// proposePatience is how long the daemon may take for what costs it no request.
const proposePatience = 10 * time.Second

// Propose implements connectors.Provisioner.
func (a *Account) Propose(object string, f connectors.Field) (connectors.Field, string) {
	ctx, done := context.WithTimeout(context.Background(), proposePatience)
	defer done()
	out, err := a.verdict(ctx, question{Ask: askPropose, Object: object, Fields: []connectors.Field{f}})
	if err != nil {
		return f, err.Error()
	}
	return out.Field, out.Manual
}

// CreateField implements connectors.Provisioner.
func (a *Account) CreateField(ctx context.Context, object string, f connectors.Field) error {
	if _, err := a.verdict(ctx, question{Ask: askCreate, Object: object, Fields: []connectors.Field{f}}); err != nil {
		return err
	}
	return nil
}

// packed makes a value such that JSON keeps its type.
func packed(v connectors.Value) any {
	switch v := v.(type) {
	case time.Time:
		return map[string]any{"time": v.Format(time.RFC3339Nano)}
	case event.Seconds:
		return map[string]any{"seconds": float64(v)}
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = packed(x)
		}
		return out
	}
	return v
}

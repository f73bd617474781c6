package connectors

import "context"

// Checker is a Connector that can tell before anything is written what the
// account would not take, by the rules that Write follows. It writes nothing.
// Errors of kind Invalid are about what was asked; all others are about the
// account or the way to it.
type Checker interface {
	// CheckField finds a field as Write does, by its name, id or, in some CRMs,
	// label.
	CheckField(ctx context.Context, object, name string) (Field, *Error)
	// CheckValue tells whether the field can be given the value.
	CheckValue(ctx context.Context, object string, f Field, v Value) *Error
	// CheckKey tells whether records can be found by fields that must all match.
	CheckKey(ctx context.Context, object string, fields []Field) *Error
	// CheckLink tells whether records of the object can be linked so. The ID of
	// the link is not looked at.
	CheckLink(ctx context.Context, object string, l Link) *Error
}

// CodeHidden is the code of CheckField's error about a field that the object has
// and the credentials do not show; its Message says how a person opens it.
const CodeHidden = "NO_FIELD_PERMISSION"

// Repeater is a Connector whose writes may be sent again as they were, though an
// earlier attempt may have arrived: who gets them tells repetitions by
// Change.Idempotency. No mark need be on disk before they are sent.
type Repeater interface {
	// Repeats reports whether that is so.
	Repeats() bool
}

// Lister is a Connector that knows which objects rules are mostly written for.
type Lister interface {
	// Objects names them; there may be more.
	Objects(ctx context.Context) ([]string, error)
}

// Provisioner is a Connector that can make fields.
type Provisioner interface {
	// Propose tells what CreateField would make of a field that the account
	// lacks: Native is the vendor's word for the type, and Unique may be gone.
	// Otherwise manual says why not, and what a person does instead. Nothing is
	// sent.
	Propose(object string, f Field) (made Field, manual string)
	// CreateField makes a field that Propose returned. Where the account
	// has the field already the error is a Conflict.
	CreateField(ctx context.Context, object string, f Field) error
}

package config

import "log/slog"

// Secret is a token, key or password. It prints as *** everywhere; only
// Reveal gives it away.
type Secret string

const hidden = "***"

// Reveal returns the secret itself, for use in a request.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (Secret) String() string { return hidden }

// GoString hides the secret.
func (Secret) GoString() string { return hidden }

// MarshalText hides the secret in JSON and other encodings.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the secret in logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

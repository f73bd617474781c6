package store

import (
	"context"
	"errors"
)

// Undamaged reads Links or Heads; what is damaged of them is not known, as an
// empty value says, and keeps no others from being read.
func Undamaged[K, V any](ctx context.Context, keys []K, read func(context.Context, []K) ([]V, error)) ([]V, error) {
	out, err := read(ctx, keys)
	if !errors.Is(err, ErrCorrupt) {
		return out, err
	}
	out = make([]V, len(keys))
	for i := range keys {
		one, err := read(ctx, keys[i:i+1])
		switch {
		case errors.Is(err, ErrCorrupt):
		case err != nil:
			return nil, err
		default:
			out[i] = one[0]
		}
	}
	return out, nil
}

package admin

import (
	"context"
	"errors"
	"slices"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// foundAnswer is a connectors.Found; the values of its records are packed.
type foundAnswer struct {
	Records []connectors.Record `json:"records,omitempty"`
	Key     int                 `json:"key,omitempty"`
	Error   *accountError       `json:"error,omitempty"`
}

// Find implements connectors.Connector.
func (a *Account) Find(ctx context.Context, matches []connectors.Match) ([]connectors.Found, error) {
	out, refused := a.verdict(ctx, question{Ask: askFind, Matches: terms(matches, packed)})
	switch {
	case refused != nil:
		return nil, refused
	case len(out.Found) != len(matches):
		return nil, errors.New("the daemon answered for another number of records")
	}
	found := make([]connectors.Found, len(out.Found))
	for i, f := range out.Found {
		found[i] = connectors.Found{Records: fields(f.Records, unpacked), Key: f.Key, Err: f.Error.error()}
	}
	return found, nil
}

// find is Find on the side of the daemon.
func find(ctx context.Context, c connectors.Connector, matches []connectors.Match) ([]foundAnswer, error) {
	found, err := c.Find(ctx, terms(matches, unpacked))
	if err != nil {
		return nil, err
	}
	out := make([]foundAnswer, len(found))
	for i, f := range found {
		out[i] = foundAnswer{Records: fields(f.Records, packed), Key: f.Key}
		if f.Err != nil {
			out[i].Error = errorAnswer(f.Err)
		}
	}
	return out, nil
}

// terms gives matches with all values changed.
func terms(matches []connectors.Match, change func(any) any) []connectors.Match {
	out := slices.Clone(matches)
	for i := range out {
		out[i].Keys = slices.Clone(out[i].Keys)
		for j, key := range out[i].Keys {
			out[i].Keys[j] = slices.Clone(key)
			for n := range key {
				out[i].Keys[j][n].Value = change(key[n].Value)
			}
		}
	}
	return out
}

// fields gives records with all values changed.
func fields(records []connectors.Record, change func(any) any) []connectors.Record {
	out := slices.Clone(records)
	for i := range out {
		out[i].Fields = map[string]connectors.Value{}
		for name, v := range records[i].Fields {
			out[i].Fields[name] = change(v)
		}
	}
	return out
}

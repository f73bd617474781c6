package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// hsID is a record id, which clients write as text or as a number.
type hsID string

// UnmarshalJSON implements json.Unmarshaler.
func (id *hsID) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*id = hsID(text)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return errors.New("an id is text or a number")
	}
	*id = hsID(n.String())
	return nil
}

// hsDecode reads a JSON body. Keys that the target does not have are refused.
func hsDecode(c *call, into any) *hsError {
	dec := json.NewDecoder(bytes.NewReader(c.body))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
		return hsInvalid("Unable to parse request body: it is empty")
	default:
		return hsInvalid("Invalid input JSON on line 1, column %d: %s", dec.InputOffset(), strings.TrimPrefix(err.Error(), "json: "))
	}
}

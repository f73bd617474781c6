package connectors

import "context"

// Reader is a Connector that reads records by their ids, many at few requests.
// Beyond the schema, n ids cost about: of HubSpot n/100 requests, of Pipedrive
// n/100 (10 tokens each; of notes, leads and call logs n, of 2 tokens), of
// Airtable n/100, of Salesforce n/2500, and as many once more for those that
// are not there. The more ids one call has, up to some thousands, the fewer
// requests. It writes nothing.
type Reader interface {
	// Read returns one Read per id, in order. The error is for the call as a
	// whole, Read.Err for one id.
	Read(ctx context.Context, object string, ids, fields []string) ([]Read, error)
}

// Read is what became of the record of an id. With none of Gone and Err set,
// Record is it.
type Read struct {
	// Record has the fields that were asked for. Its ID is another one than
	// what was asked where Merged is set.
	Record Record
	// Merged: the record was merged into Record, or is a lead that was converted
	// into that contact. Writing to the id that was asked for means Record.
	Merged bool
	// Gone: there is no such record any more, or never was. Pipedrive does not
	// tell where a merged record went: of it those are gone, too.
	Gone bool
	Err  *Error
}

// ReadByID is Read by means of a connector's Find, which must follow merged
// records where the CRM tells of them.
func ReadByID(ctx context.Context, find func(context.Context, []Match) ([]Found, error), object string, ids, fields []string) ([]Read, error) {
	matches := make([]Match, len(ids))
	for n, id := range ids {
		matches[n] = Match{Object: object, Keys: []Key{{{Field: ID, Value: id}}}, Read: fields}
	}
	found, err := find(ctx, matches)
	if err != nil {
		return nil, err
	}
	out := make([]Read, len(ids))
	for n, f := range found {
		switch {
		case f.Err != nil:
			out[n].Err = f.Err
		case len(f.Records) == 0:
			out[n].Gone = true
		default:
			out[n].Record = f.Records[0]
			out[n].Merged = f.Records[0].ID != ids[n]
		}
	}
	return out, nil
}

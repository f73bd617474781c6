// Package reconcile keeps status true where webhooks got lost and people edited
// CRMs. Backfill brings in what a vendor knows and the ledger does not; a run of
// a source does that since the last one and asks for the status of contacts; a
// run of a connector compares what was written with what the CRM has now; the
// Sweeper ends calls whose end never came.
//
// Nothing is written to a CRM here: what is to be mended becomes an event, and
// goes the road of all events, so that live deliveries go first, lanes stay in
// order and nothing undoes a newer write. Rules, connectors and schedules are
// handed in.
package reconcile

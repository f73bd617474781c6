// Package sandbox emulates the HTTP APIs of the CRMs that crmsyncd writes to and
// of the vendors it reads from, in memory, in one http.Handler.
//
// It is for `crmsyncd sandbox`, `crmsyncd demo` and tests. It is strict on
// purpose: unknown fields, wrong types, unknown options and unknown paths are
// refused with the vendor's own error body, limits are counted, and faults
// (a 429, a reply that is lost after the write was applied, latency, one bad
// input of a batch) can be switched on.
//
// It does not persist anything, asks nobody for a consent, and imports nothing else
// of this module: an emulator that shared code with a connector would share the
// connector's misunderstandings too.
//
// Below /_/ stand the paths for people and tests: what was written
// (/_/records), what was asked (/_/requests, /_/stats), faults (/_/faults) and
// a way back to the start (/_/reset).
package sandbox

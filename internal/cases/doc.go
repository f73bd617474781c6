// Package cases holds the mapping to what its author expects of it: cases of
// mapping_test.yaml, each a payload and the records that shall come of it. It
// reads such files (read.go, expect.go), compares (compare.go, links.go, value.go),
// says what no case touches (cover.go), writes what came out into the file
// (update.go, write.go), and reports (report.go, junit.go, schema.go).
//
// It opens no file and reads no payload: events come in as arguments, texts
// and results go out. What values become in a CRM's fields is not its business.
package cases

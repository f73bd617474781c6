// Package mapping reads the rules that sales operations people write
// (mapping.yaml) and turns events into the records that a CRM is to hold.
//
// It is pure: texts and events come in as arguments, plans and problems go
// out. It asks no CRM, reads no file and knows no clock. Formulas have the
// grammar of expr-lang/expr and an evaluator of our own, because an empty cell
// must be able to stand anywhere, and because a formula's time and memory must
// be bounded.
//
// The files, in the order in which a mapping goes through them: read.go,
// read_record.go and table.go (YAML to rules), formula.go, compile.go, path.go
// and operators*.go (formulas to functions, with every check), text.go ({{ }}),
// env.go and value.go (what formulas see), function*.go, planner.go,
// explain.go, schema.go; writes.go, known.go and schema_live.go are for
// comparing rules with CRM accounts.
package mapping

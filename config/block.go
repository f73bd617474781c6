package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// Block is one source or connector. Its keys belong to the vendor of its type.
type Block struct {
	Name string
	Type string     // "" where it is missing, which is among the problems of Read
	Node *diag.Node // a mapping, type included, secrets resolved
	// Unresolved says that a ${…} in it leads nowhere, which is among the
	// problems of Read: what the vendor says about the value is noise then.
	Unresolved bool
	// StandIns says that, offline, random keys stand for missing secrets in it.
	StandIns bool
}

// Decode reads all keys but type strictly into the vendor's Config.
func (b Block) Decode(into any) diag.Problems {
	n := *b.Node
	n.Pairs = slices.DeleteFunc(slices.Clone(n.Pairs), func(p diag.Pair) bool { return p.Key.Value == "type" })
	return n.Decode(into)
}

// blocks are the sources or the connectors, in the file's order.
type blocks []Block

var blockName = regexp.MustCompile(`^[a-z0-9_-]{1,40}$`)

// UnmarshalNode implements diag.Unmarshaler.
func (bs *blocks) UnmarshalNode(n *diag.Node) (ps diag.Problems) {
	if n.Null {
		return nil
	}
	if n.Shape != diag.Mapping {
		return diag.Problems{n.Problem("wants names with settings, not "+n.Shape.String(), "write name:, and below it, indented, type: …")}
	}
	above := "" // a name without settings
	for i, p := range n.Pairs {
		b := Block{Name: p.Key.Value, Node: p.Value}
		if above != "" && b.Node.Shape == diag.Scalar && !b.Node.Null {
			ps = append(ps, p.Key.Problem(fmt.Sprintf("%s: stands beside %q, not below it", b.Name, above), "indent it by two blanks more"))
			continue
		}
		if above = ""; b.Node.Null {
			above = b.Name
		}
		if !blockName.MatchString(b.Name) {
			hint := "use 1 to 40 of a-z, 0-9, _ and -; it becomes part of an address"
			if low := strings.ToLower(b.Name); blockName.MatchString(low) {
				b.Name, hint = low, "write "+low+"; it becomes part of an address"
			}
			ps = append(ps, p.Key.Problem(fmt.Sprintf("%q cannot be a name", p.Key.Value), hint))
		}
		if b.Node.Shape != diag.Mapping {
			if beside := i+1 < len(n.Pairs) && b.Node.Null && n.Pairs[i+1].Value.Shape == diag.Scalar; !beside {
				ps = append(ps, p.Key.Problem(fmt.Sprintf("the settings of %q are missing", b.Name), "add type: … below it, indented"))
			}
			b.Node = &diag.Node{Shape: diag.Mapping, Line: b.Node.Line, Column: b.Node.Column, File: b.Node.File}
			*bs = append(*bs, b)
			continue
		}
		t := b.Node.Get("type")
		if t == nil || t.Null || t.Shape != diag.Scalar {
			ps = append(ps, p.Key.Problem(fmt.Sprintf("%q has no type", b.Name), "add type: …, the vendor's name"))
		} else {
			b.Type = t.Value
		}
		*bs = append(*bs, b)
	}
	return ps
}

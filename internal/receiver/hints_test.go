package receiver

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// reasonForm is how reasons are written; other words of the sources with _ in
// them are not returned.
var reasonForm = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

// reasons finds the reasons of refusals in the code below a directory: what is
// given to Unauthentic, refused and failed or stands in a Refusal, and in
// package webhook what proofs return or call their reason.
func reasons(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	files := token.NewFileSet()
	take := func(x ast.Expr, where token.Pos) {
		if lit, ok := x.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil && reasonForm.MatchString(s) {
				found[s] = files.Position(where).String()
			}
		}
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		proofs := file.Name.Name == "webhook" && regexp.MustCompile(`(auth|hmac|jwt)\.go$`).MatchString(path)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				name := ""
				switch f := n.Fun.(type) {
				case *ast.Ident:
					name = f.Name
				case *ast.SelectorExpr:
					name = f.Sel.Name
				}
				switch name {
				case "Unauthentic", "failed":
					take(n.Args[0], n.Pos())
				case "refused":
					if len(n.Args) == 3 {
						take(n.Args[1], n.Pos())
					}
				}
			case *ast.CompositeLit:
				if name, ok := n.Type.(*ast.Ident); ok && name.Name == "Refusal" {
					take(n.Elts[1], n.Pos())
				}
			case *ast.ReturnStmt:
				for _, x := range n.Results {
					if lit, ok := x.(*ast.BasicLit); ok && proofs && strings.Contains(lit.Value, "_") {
						take(x, n.Pos())
					}
				}
			case *ast.AssignStmt:
				for i, to := range n.Lhs {
					if name, ok := to.(*ast.Ident); ok && proofs && name.Name == "reason" && i < len(n.Rhs) {
						take(n.Rhs[i], n.Pos())
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestEveryReasonOfARefusalHasAHint(t *testing.T) {
	t.Parallel()
	all := reasons(t, "../../sources")
	for _, known := range []string{"bad_signature", "address", "wrong_token", "no_secret", "wrong_secret", "bad_algorithm", "repeated_timestamp", "old_timestamp", "repeated_header"} {
		if all[known] == "" {
			t.Errorf("%s is not among the reasons that the test finds", known)
		}
	}
	for reason, where := range reasons(t, ".") {
		if reason != "not_found" { // which gets its hint by the path
			all[reason] = where
		}
	}
	for reason, where := range all {
		if hints[reason] == "" {
			t.Errorf("%s: there is no hint for %s", where, reason)
		}
	}
	for reason := range hints {
		if all[reason] == "" {
			t.Errorf("the hint for %s is for nothing", reason)
		}
	}
}

// A source sets its own tolerance; header and field proofs have no address.
func TestHintsAreTrueOfEverySource(t *testing.T) {
	t.Parallel()
	for reason, hint := range hints {
		if regexp.MustCompile(`[0-9] (second|minute|hour)`).MatchString(hint) {
			t.Errorf("%s names a length of time that is a setting: %s", reason, hint)
		}
	}
	for _, reason := range []string{"no_secret", "wrong_secret"} {
		if strings.Contains(hints[reason], "address") {
			t.Errorf("%s speaks of the address: %s", reason, hints[reason])
		}
	}
}

func TestFailuresAreAllReasonsThatAreOurFault(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\bfailed\("([a-z_]+)", `).FindAllStringSubmatch(string(text), -1) {
			found[m[1]] = true
		}
	}
	if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, Failures()) {
		t.Errorf("the code gives %v, Failures %v", got, Failures())
	}
}

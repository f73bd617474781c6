package mapping

import (
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

func TestAFormulaThatPanicsSaysWhereAndNotAboutWhat(t *testing.T) {
	t.Parallel()
	const personal = "+49 151 23456789"
	f := &formula{run: func(*env) any { panic("cannot read " + personal) }}
	v, fault := f.eval(&env{})
	if v != nil || fault == nil {
		t.Fatalf("got %v, %v; want a fault", v, fault)
	}
	if !strings.Contains(fault.message, "please report this") || !strings.Contains(fault.message, "mapping.TestAFormulaThatPanics") || strings.Contains(fault.message, personal) {
		t.Errorf("it says %q", fault.message)
	}
}

func TestAMistakeWithinWhatIsCalculatedBeforehandIsOnlyAMistake(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"call.duration > max(true)", "max(true) == call.duration", `call.status in [left("a")]`, "[max(true)]"} {
		root, _ := diag.ReadYAML("m.yaml", []byte("f: |\n  ="+source))
		if _, ps := testScope().formula(root.Get("f"), kAny); !ps.Has(diag.Error) {
			t.Errorf("%s has no mistake, want one", source)
		}
	}
}

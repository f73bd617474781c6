package mapping

import (
	"strings"
	"testing"
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

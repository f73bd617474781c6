package caught

import (
	"strings"
	"testing"
)

const personal = "+49 151 23456789"

func recovered(do func()) (p *Panic) {
	defer func() { p = Of(recover()) }()
	do()
	return nil
}

func goesWrong(what any) { panic(what) }

func TestAPanicIsToldWithItsPlaceAndWithoutItsValue(t *testing.T) {
	var none []int
	var record map[string]string
	for name, c := range map[string]struct {
		do   func()
		what string
	}{
		"a text":           {func() { goesWrong("cannot read " + personal) }, "a panic with a value of type string"},
		"a struct":         {func() { goesWrong(struct{ Phone string }{personal}) }, "struct { Phone string }"},
		"an index":         {func() { _ = none[len(personal)] }, "index out of range [16] with length 0"},
		"a nil map":        {func() { record[personal] = personal }, "assignment to entry in nil map"},
		"a type assertion": {func() { _ = any(personal).(int) }, "interface conversion: interface {} is string, not int"},
	} {
		before := Number()
		p := recovered(c.do)
		if p == nil || !strings.Contains(p.Error(), c.what) {
			t.Fatalf("%s: got %+v, want %q", name, p, c.what)
		}
		if text := p.What + p.Stack; strings.Contains(text, personal) || strings.Contains(text, "\n") {
			t.Errorf("%s: told is %q", name, text)
		}
		if !strings.Contains(p.Place(), "internal/caught.") || !strings.HasPrefix(p.Stack, p.Place()) {
			t.Errorf("%s: the place is %q of %q", name, p.Place(), p.Stack)
		}
		if again := recovered(func() { panic(p) }); again != p {
			t.Errorf("%s: raised again it is %+v", name, again)
		}
		if got := Number() - before; got != 1 {
			t.Errorf("%s: counted %d times", name, got)
		}
	}
	p := recovered(func() {
		defer goesWrong(1)
		goesWrong("x")
	})
	if p == nil || !strings.Contains(p.What, "type int") || !strings.Contains(p.Place(), "caught.goesWrong:") {
		t.Errorf("a panic during a panic: %+v", p)
	}
	p = recovered(func() {
		defer func() { _ = none[len(personal)] }()
		goesWrong("x")
	})
	if p == nil || !strings.Contains(p.What, "index out of range") || strings.Contains(p.Place(), "caught.goesWrong:") {
		t.Errorf("a panic during a panic: %+v", p)
	}
	if p := recovered(func() {}); p != nil {
		t.Errorf("without a panic: %+v", p)
	}
}

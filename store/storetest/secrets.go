package storetest

import "fmt"

func secrets(s *suite) {
	want := func(name, value string) {
		s.Helper()
		got, err := s.Secret(s.ctx(), name)
		s.ok(err)
		equal(s, "secret "+name, string(got), value)
	}
	want("token a", "")
	s.ok(s.PutSecret(s.ctx(), "token a", []byte("first")))
	s.ok(s.PutSecret(s.ctx(), "token b", []byte("other")))
	s.ok(s.PutSecret(s.ctx(), "token a", []byte("second")))
	want("token a", "second")
	want("token b", "other")
	want("token", "")
	s.reopen()
	want("token a", "second")
	s.ok(s.PutSecret(s.ctx(), "token a", nil))
	s.ok(s.PutSecret(s.ctx(), "never kept", nil))
	want("token a", "")
	want("token b", "other")
	if err := s.PutSecret(s.ctx(), "", []byte("x")); err == nil {
		s.Error("a secret without a name was taken")
	}
	if err := s.PutSecret(s.ctx(), "large", make([]byte, 1<<20)); err == nil {
		s.Error("a secret of a megabyte was taken")
	}
	damage, err := s.Verify(s.ctx(), nil)
	s.ok(err)
	equal(s, "damage", fmt.Sprint(damage), "[]")
}

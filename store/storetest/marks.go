package storetest

import (
	"fmt"

	"github.com/crmsyncd/crmsyncd/store"
)

func marks(s *suite) {
	want := func(name, value string) {
		s.Helper()
		got, err := s.Mark(s.ctx(), name)
		s.ok(err)
		equal(s, "mark "+name, string(got), value)
	}
	want("backfill telli", "")
	s.ok(s.PutMark(s.ctx(), "backfill telli", []byte("page 1")))
	s.ok(s.PutMark(s.ctx(), "backfill phones", []byte("other")))
	s.ok(s.PutMark(s.ctx(), "backfill telli", []byte("page 2")))
	want("backfill telli", "page 2")
	s.reopen()
	want("backfill telli", "page 2")
	s.ok(s.PutMark(s.ctx(), "backfill telli", nil))
	s.ok(s.PutMark(s.ctx(), "never kept", nil))
	want("backfill telli", "")
	want("backfill phones", "other")
	if err := s.PutMark(s.ctx(), "", []byte("x")); err == nil {
		s.Error("a mark without a name was taken")
	}
	if err := s.PutMark(s.ctx(), "large", make([]byte, 1<<20)); err == nil {
		s.Error("a mark of a megabyte was taken")
	}
	if secret, err := s.Secret(s.ctx(), "backfill phones"); err != nil || secret != nil {
		s.Errorf("a mark is among the secrets: %v", err)
	}
	damage, err := s.Verify(s.ctx(), nil)
	s.ok(err)
	equal(s, "damage", fmt.Sprint(damage), "[]")
}

func known(s *suite) {
	s.add(sample(1))
	broken := sample(2)
	broken.Problem, broken.DeliveryID = "it was cut off", ""
	s.add(broken)
	another := sample(1) // the same call, told another way
	another.Source, another.DeliveryID, another.ReceivedAt = "other", "", at(500)
	late := sample(1)
	late.DeliveryID, late.OccurredAt = "", at(1+3*24*60)
	nameless := sample(1)
	nameless.DeliveryID, nameless.ContentKey = "", ""
	ask := func() string {
		got, err := s.Known(s.ctx(), []store.Event{sample(1), another, sample(3), broken, late, nameless})
		s.ok(err)
		return fmt.Sprint(got)
	}
	equal(s, "known", ask(), "[true true false true false false]")
	s.reopen()
	equal(s, "known after reopening", ask(), "[true true false true false false]")
	st, err := s.Stats(s.ctx())
	s.ok(err)
	equal(s, "events after asking", st.Events, uint64(2))
	if got, err := s.Known(s.ctx(), nil); err != nil || len(got) != 0 {
		s.Errorf("nothing asked: %v, %v", got, err)
	}
	equal(s, "an event that was asked about is kept", s.add(sample(3)), uint64(3))
}

package cases_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/cases"
	"github.com/crmsyncd/crmsyncd/mapping"
)

func TestUpdateKeepsAllThatIsStillTrue(t *testing.T) {
	t.Parallel()
	old := strings.NewReplacer("id: c1 ", "id: c2 ", "zip: 01234\n", "gone: 1\n            zip: 01234\n", "            share: 0.25\n", "").Replace(right) + `
  # a comment of the next
  - name: the next
    source: telli
    sample: x
    expect: {hubspot: nothing}   # really?

# the end
`
	f, outcomes, _ := try(t, old, aCall())
	got, n, err := f.Update(outcomes)
	if err != nil || n != 2 {
		t.Fatalf("wrote %d, %v", n, err)
	}
	_, _, told := try(t, string(got), aCall())
	if told != "" {
		t.Errorf("after the update:\n%s", told)
	}
	want := `# What we want.
cases:
  - name: a call      # the usual one
    source: telli
    sample: x
    expect:
      # first the people
      hubspot:
        - object: contacts
          match: [{$id: "77"}, [email, phone], phone]
          fields: {email: e@example.com, phone: "+493023125017", score: null, tags: [solar, "a: b"]}
        - object: calls # in any order
          fields:
            zip: 01234
            id: c1 # as the vendor calls it
            at: 2026-03-04T10:30:00.005+01:00
            length: 90.0
            missed: false
            number: 42
            word: "true"
            body: |
              Talked.
              Wants an offer: "now".
            share: 0.25
          link: contacts
      airtable: nothing

  # a comment of the next
`
	if head, _, _ := strings.Cut(string(got), "  - name: the next"); head != want {
		t.Errorf("(-want +got)\n%s", cmp.Diff(want, head))
	}
	if !strings.HasSuffix(string(got), "\n\n# the end\n") {
		t.Errorf("the end is lost:\n%s", got)
	}
}

func TestUpdateOfWhatPassesChangesNothing(t *testing.T) {
	t.Parallel()
	f, outcomes, _ := try(t, right, aCall())
	if got, n, err := f.Update(outcomes); err != nil || n != 0 || string(got) != right {
		t.Errorf("wrote %d, %v:\n%s", n, err, cmp.Diff(right, string(got)))
	}
}

func TestUpdateWritesWhatIsNotThereYet(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"cases:\n  - name: x\n    source: telli\n    payload:\n      a: 1\n\n  # next\n  - name: y\n    source: telli\n    sample: z\n",
		"cases:\n- name: x\n  source: telli\n  sample: z\n  expect:\n- name: y\n  source: telli\n  expect: nothing\n  sample: z",
		"cases:\n  - expect: nothing\n    name: x\n    source: telli\n    sample: z",
		"cases:\r\n  - name: x\r\n    source: telli\r\n    sample: z\r\n    expect: nothing\r\n",
	} {
		f, outcomes, _ := try(t, text, aCall())
		got, _, err := f.Update(outcomes)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if _, _, told := try(t, string(got), aCall()); told != "" {
			t.Errorf("%s\n%s", got, told)
		}
		if strings.Contains(text, "# next") && !strings.Contains(string(got), "\n\n  # next\n  - name: y\n") {
			t.Errorf("the comment of the next case is lost:\n%s", got)
		}
	}
}

func TestUpdateKeepsTheEndsOfLines(t *testing.T) {
	t.Parallel()
	// Of an editor that writes \n into a file that has \r\n.
	first := "cases:\r\n  - name: x\n    source: telli\r\n    sample: z\r\n    expect: nothing\n"
	for _, second := range []string{"", "  - name: y\r\n    source: telli\r\n    sample: z\r\n    expect: nothing\r\n    content_type: text/plain\r\n# the end\n", "  - name: y\n    source: telli\n    sample: z", "  - name: y\n    source: telli\r\n    sample: z"} {
		text := first + second
		f, outcomes, _ := try(t, text, aCall())
		got, n, err := f.Update(outcomes)
		if err != nil || n != len(outcomes) {
			t.Fatalf("%q: wrote %d, %v", text, n, err)
		}
		if head := "cases:\r\n  - name: x\n    source: telli\r\n    sample: z\r\n    expect:\n      hubspot:\n"; !strings.HasPrefix(string(got), head) {
			t.Errorf("%q gave\n%q", text, got)
		}
		if strings.HasPrefix(second, "  - name: y\r\n") && !strings.Contains(string(got), "\n  - name: y\r\n    source: telli\r\n    sample: z\r\n    expect:\r\n      hubspot:\r\n") {
			t.Errorf("%q gave\n%q", text, got)
		}
		if strings.HasSuffix(string(got), "\n") != strings.HasSuffix(text, "\n") || strings.Contains(string(got), "\r\r") {
			t.Errorf("%q gave\n%q", text, got)
		}
		if _, _, told := try(t, string(got), aCall()); told != "" {
			t.Errorf("%s\n%s", got, told)
		}
	}
}

func TestUpdateRefusesACaseInOneLine(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"cases:\n  - {name: x, source: telli, sample: z, expect: nothing}\n",
		"cases:\n  - {name: x, source: telli, sample: z}\n",
	} {
		f, outcomes, _ := try(t, text, aCall())
		if got, _, err := f.Update(outcomes); err == nil || !strings.Contains(err.Error(), "mapping_test.yaml:2:5") || !strings.Contains(err.Error(), "line of its own") {
			t.Errorf("%s gave %s, %v", text, got, err)
		}
	}
}

func TestUpdateTakesAwayWhatDoesNotComeAnyMore(t *testing.T) {
	t.Parallel()
	f, outcomes, _ := try(t, right, &event.Event{Type: event.CallRinging, Source: "telli"})
	got, _, err := f.Update(outcomes)
	if err != nil || !strings.Contains(string(got), "expect: nothing") {
		t.Errorf("%v:\n%s", err, got)
	}
}

// FuzzUpdate holds that whatever values come out can be written so that the
// cases pass, and that no file makes it panic.
func FuzzUpdate(f *testing.F) {
	f.Add(right, "a\nb", "true", "+49 30")
	f.Add("cases:\n  - name: x\n    source: telli\n    sample: y\n", " lead\n\n", "2026-03-04", "null")
	f.Add("cases:\n- name: x\n  source: telli\n  sample: y\n  expect:\n    hubspot:\n    - object: calls\n      fields:\n        # c\n        id: |\n         x\n", "\t#: -", "~", "0x10")
	f.Add("cases: [{name: a, source: telli, payload: {a: [}}]", "", "", "")
	r := rules(f)
	f.Fuzz(func(t *testing.T, text, a, b, c string) {
		file, problems := cases.Read("t.yaml", []byte(text), names)
		if problems.Err() != nil {
			return
		}
		ev := aCall()
		ev.Call.Summary, ev.Call.ID, ev.Call.Topics = a, b, []string{c, a}
		var outcomes []cases.Outcome
		for _, one := range file.Cases {
			outcomes = append(outcomes, cases.Run(r, one, ev, ""))
			_ = outcomes[len(outcomes)-1].Text()
		}
		cases.JUnit(outcomes)
		cases.Cover(r, outcomes)
		out, n, err := file.Update(outcomes)
		if err != nil || n == 0 {
			return
		}
		again, problems := cases.Read("t.yaml", out, names)
		if problems.Err() != nil {
			t.Fatalf("cannot be read again: %v\n%s", problems, out)
		}
		for _, one := range again.Cases {
			if o := cases.Run(r, one, ev, ""); !o.Passed() {
				t.Fatalf("does not pass after the update:\n%s\n%s", o.Text(), out)
			}
		}
	})
}

func TestAnyTextCanBeExpected(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		" lead", "trail ", "a\n\n", "a\n b\n", " a\nb", "\na", "\n\n a\n", "\ttab", "# x", "- x", "~", "null", "Null", "true", "yes", "1e3", "0x10", "01234", "1_000", ".5", "2026-03-04", "2026-03-04T09:30:00Z", "12:30",
		"=x", "%", "@x", "`", "'", "\"", "a: b", "a #b", "ü 😀", "\u2028x", "a\u0085b", "\ufeffx", "x\x00y", "\x1b[31m", "a\rb", "a\r\nb", "<<", "*a", "&a", "!x", "{", "[a", "?", ": ", "---", "...", "a\n---\nb", "nothing", strings.Repeat("long ", 100), "a\n\tb\n", "x\n# y",
	} {
		ev := aCall()
		ev.Call.ID, ev.Call.Summary, ev.Call.Headline, ev.Call.Topics = text, text, text, []string{text, "x"}
		f, outcomes, _ := try(t, "cases:\n  - name: x\n    source: telli\n    sample: y\n", ev)
		out, _, err := f.Update(outcomes)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if _, _, told := try(t, string(out), ev); told != "" {
			t.Errorf("%q:\n%s\n%s", text, told, out)
		}
	}
}

// TestUpdateRefusesLinesThatOnlyYAMLEnds: by its count it would rewrite others.
func TestUpdateRefusesLinesThatOnlyYAMLEnds(t *testing.T) {
	t.Parallel()
	for shown, end := range map[string]string{"U+000D": "\r", "U+0085": "\u0085", "U+2028": "\u2028", "U+2029": "\u2029"} {
		text := "cases:\r\n  - name: w\r\n    source: telli\n    payload: '{\"a\":\"" + end + "\"}'\n    expect: nothing\n  - name: x\n    source: telli\n    sample: z\n"
		f, outcomes, _ := try(t, text, aCall())
		if got, n, err := f.Update(outcomes); err == nil || n != 0 || !strings.Contains(err.Error(), "mapping_test.yaml:4: the line holds "+shown) {
			t.Errorf("%s: wrote %d, %v:\n%q", shown, n, err, got)
		}
	}
}

// TestUpdateWritesNothingOfACaseThatCannotBeTried: it is no case that expects nothing.
func TestUpdateWritesNothingOfACaseThatCannotBeTried(t *testing.T) {
	t.Parallel()
	rules, problems := mapping.Read([]mapping.File{{Name: "mapping.yaml", Text: []byte(`version: 1
rules:
  - name: r
    on: call.ended
    to: hubspot
    records: [{object: o, match: id, fields: {id: =call.id, sum: =number(call.summary)}}]
`)}}, mapping.Options{})
	if problems.Err() != nil {
		t.Fatal(problems.Error())
	}
	const text = "cases:\n  - name: x\n    source: telli\n    sample: y\n"
	f, problems := cases.Read("mapping_test.yaml", []byte(text), names)
	if problems.Err() != nil {
		t.Fatal(problems.Error())
	}
	ev := aCall()
	ev.Call.Summary = "1,234" // which is 1.234 or 1234
	o := cases.Run(rules, f.Cases[0], ev, "")
	if !strings.Contains(o.Problem, "mapping.yaml:6") {
		t.Fatalf("the problem is %q", o.Problem)
	}
	if got, n, err := f.Update([]cases.Outcome{o}); err != nil || n != 0 || string(got) != text {
		t.Errorf("wrote %d, %v:\n%s", n, err, got)
	}
}

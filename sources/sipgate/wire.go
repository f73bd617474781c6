package sipgate

import (
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
)

// delivery reads what the AI products post once a call is over. Version 1 and
// the AI Assistant before it, which names no version, differ in their words;
// whichever is there is taken. Other versions are kept as unknown.
func (s *Source) delivery(doc sources.Value, now time.Time, p *sources.Parsed) {
	call, assist := doc.Get("call"), doc.Get("assist")
	start, end := sources.ReadMoment(call, "startTime"), sources.ReadMoment(call, "endTime")
	c := &event.Call{
		ID:        call.Get("id").Text(),
		Direction: direction(call.Get("direction").Word()),
		From:      number(first(call.Get("from"), call.Get("caller")), s.country),
		To:        number(first(call.Get("to"), call.Get("callee")), s.country),
		StartedAt: start.Time,
		EndedAt:   end.Time,
	}
	p.Event.Call, p.Event.Contact = c, external(c)
	if v := doc.Get("version").Text(); v != "" && v != "1" && !strings.HasPrefix(v, "1.") {
		return
	}
	if c.ID == "" {
		p.Problem = "a delivery without the id of its call"
		return
	}
	// The older product counts in seconds.
	unit := time.Millisecond
	if !doc.Get("version").Known() && !assist.Known() && !call.Get("from").Known() && !call.Get("to").Known() {
		unit = time.Second
	}
	setLength(c, call.Get("duration"), unit)
	if end.Name == "" && !c.EndedAt.IsZero() {
		end = sources.Moment{Name: "startTime with duration", Time: c.EndedAt}
	}
	for _, m := range []sources.Moment{start, end} {
		if p.Problem = m.Problem(now); p.Problem != "" {
			return
		}
	}
	p.Event.Type, c.Status = event.CallEnded, event.Completed
	if p.Event.OccurredAt = c.EndedAt; c.EndedAt.Before(c.StartedAt) { // unknown, or wrong
		p.Event.OccurredAt = c.StartedAt
	}
	p.ContentKey = "sipgate:call:" + short(c.ID) + ":ended"
	p.Alike = sources.AlikeTold(p.Event, now)
	c.Agent = agent(call.Get("users"))
	readAssist(c, doc, assist)
}

// setLength puts together start, end and length, of which two tell the third.
func setLength(c *event.Call, v sources.Value, unit time.Duration) {
	length := time.Duration(-1)
	const longest = 31 * 24 * time.Hour
	if n, ok := v.Number(); ok && n >= 0 && n <= float64(longest/unit) {
		length = time.Duration(n * float64(unit))
	}
	switch start, end := c.StartedAt, c.EndedAt; {
	case !start.IsZero() && !end.IsZero():
		if !end.Before(start) {
			length = end.Sub(start)
		}
	case length < 0:
	case !start.IsZero():
		c.EndedAt = start.Add(length)
	case !end.IsZero():
		c.StartedAt = end.Add(-length)
	}
	if length >= 0 {
		seconds := event.Seconds(length.Seconds())
		c.Duration = &seconds
	}
}

// agent is the first user who is named.
func agent(users sources.Value) *event.Person {
	for u := range users.Items() {
		a := event.Person{
			ID:    first(u.Get("fullUserId"), u.Get("userId")),
			Name:  u.Get("fullName").Text(),
			Email: sources.Email(u.Get("email").Text()),
		}
		if a.Name == "" {
			a.Name = strings.TrimSpace(u.Get("firstName").Text() + " " + u.Get("lastName").Text())
		}
		if a != (event.Person{}) {
			return &a
		}
	}
	return nil
}

// readAssist takes what the AI made of the call; the AI Assistant has it at the top.
func readAssist(c *event.Call, doc, assist sources.Value) {
	either := func(name string) sources.Value {
		if v := assist.Get(name); v.Known() {
			return v
		}
		return doc.Get(name)
	}
	summary := either("summary")
	c.Summary = unmarked(content(summary))
	c.Headline = content(either("callHeadline"))
	c.Topics = contents(summary.Get("topics"))
	if len(c.Topics) == 0 {
		c.Topics = contents(either("topics"))
	}
	c.ActionItems = contents(either("actionItems"))
	c.Transcript = transcript(assist.Get("transcription"), doc.Get("transcriptions"))
	if points := contents(summary.Get("keyPoints")); len(points) > 0 {
		list := make([]any, len(points))
		for i, p := range points {
			list[i] = p
		}
		c.Analysis = map[string]any{"key_points": list}
	}
	readAnswers(&c.Answers, either("callScenarios"), 0)
}

// readAnswers takes what callers answered, by the text of the question. Of two
// answers to one question the later one counts: it corrects the first.
func readAnswers(m *map[string]any, list sources.Value, depth int) {
	const deepest = 4 // scenarios, their answers, the items of those, and one to spare
	if depth == deepest {
		return
	}
	for item := range list.Items() {
		if question := item.Get("question").Text(); question != "" {
			answer := item.Get("answer")
			if answer.IsObject() {
				answer = answer.Get("value")
			}
			value := answer.Plain()
			if text, ok := value.(string); ok {
				if text = strings.TrimSpace(text); text == "" {
					continue
				}
				value = text
			}
			if value == nil {
				continue
			}
			if *m == nil {
				*m = map[string]any{}
			}
			(*m)[question] = value
			continue
		}
		readAnswers(m, item.Get("smartAnswers"), depth+1)
		readAnswers(m, item.Get("setItems"), depth+1)
	}
}

// transcript puts who says what on lines; speakers are CALLER and CALLEE, in
// older payloads numbers. Without turns the whole text is taken.
func transcript(v, older sources.Value) string {
	chunks := v.Get("chunks")
	if !chunks.Known() {
		chunks = older
	}
	var b strings.Builder
	for turn := range chunks.Items() {
		text := first(turn.Get("content"), turn.Get("text"))
		if text == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		switch speaker := turn.Get("speaker").Word(); speaker {
		case "":
		case "caller":
			b.WriteString("Caller: ")
		case "callee":
			b.WriteString("Callee: ")
		default:
			b.WriteString("Speaker " + speaker + ": ")
		}
		b.WriteString(text)
	}
	if b.Len() == 0 {
		return content(v)
	}
	return b.String()
}

// unmarked takes off the link that sipgate ends summaries with, such as
// [Erstellt mit sipgate AI](https://…).
func unmarked(s string) string {
	open := strings.LastIndex(s, "[")
	if open < 0 || !strings.HasSuffix(s, ")") {
		return s
	}
	label, target, ok := strings.Cut(s[open:], "](")
	if !ok || strings.ContainsAny(target[:len(target)-1], " \n") || !strings.Contains(strings.ToLower(label), "sipgate") {
		return s
	}
	return strings.TrimSpace(s[:open])
}

// content is a text, or that within an object.
func content(v sources.Value) string {
	if v.IsObject() {
		return first(v.Get("content"), v.Get("text"), v.Get("title"), v.Get("name"))
	}
	return v.Text()
}

func contents(v sources.Value) []string {
	var list []string
	for item := range v.Items() {
		if s := content(item); s != "" {
			list = append(list, s)
		}
	}
	return list
}

func first(values ...sources.Value) string {
	for _, v := range values {
		if s := v.Text(); s != "" {
			return s
		}
	}
	return ""
}

package mapping

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"html"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

const anyText = kText | kNumber

func textFunctions() []function {
	return []function{
		{Function: Function{"upper", "upper(text)", "the text in capital letters", `upper(call.direction)`, "OUTBOUND"}, params: []kinds{anyText}, required: 1, result: kText, run: onText(strings.ToUpper)},
		{Function: Function{"lower", "lower(text)", "the text in small letters", `lower("Erika@Example.COM")`, "erika@example.com"}, params: []kinds{anyText}, required: 1, result: kText, run: onText(strings.ToLower)},
		{Function: Function{"trim", "trim(text)", "the text without blanks around it", `trim("  Erika ")`, "Erika"}, params: []kinds{anyText}, required: 1, result: kText, run: onText(strings.TrimSpace)},
		{Function: Function{"title", "title(text)", "each word with a capital letter, the rest small", `title("erika MUSTERMANN-meier")`, "Erika Mustermann-Meier"}, params: []kinds{anyText}, required: 1, result: kText, run: onText(title)},
		{Function: Function{"truncate", "truncate(text, length)", "the text cut to that many characters, the last of them … where it was longer", `truncate("a long summary", 7)`, "a long…"}, params: []kinds{anyText, kNumber}, required: 2, result: kText, bind: bindCount(truncate, kText, 1, maxLength, "write how many characters are to stay, 1 or more")},
		{Function: Function{"left", "left(text, length)", "the first characters of the text", `left("10115 Berlin", 2)`, "10"}, params: []kinds{anyText, kNumber}, required: 2, result: kText, bind: bindCount(left, kText, 1, maxLength, "write how many characters are to stay, 1 or more")},
		{Function: Function{"replace", "replace(text, old, new)", "the text with every old replaced by new", `replace("a-b-c", "-", " ")`, "a b c"}, params: []kinds{anyText, anyText, anyText}, required: 3, result: kText, run: replace},
		{Function: Function{"text", "text(value)", "any value as text: times in ISO, durations in seconds, lists with commas", `text(call.duration)`, "120"}, params: []kinds{kAny}, required: 1, result: kText, run: func(e *env, at int, args []any) any { return e.built(e.text(args[0], at), at) }},
		{Function: Function{"json", "json(value)", "any value as JSON, also groups such as contact", `json(call.topics)`, `["solar","storage"]`}, params: []kinds{kAny | kObject}, required: 1, result: kText, run: toJSONText},
		{Function: Function{"html", "html(text)", "the text with < > & and quotes made safe for HTML", `html("a < b")`, "a &lt; b"}, params: []kinds{anyText}, required: 1, result: kText, run: onText(html.EscapeString)},
		{Function: Function{"plain", "plain(html)", "the text of HTML, without tags", `plain("<p>Hello <b>you</b></p>")`, "Hello you"}, params: []kinds{anyText}, required: 1, result: kText, run: onText(plainText)},
		{Function: Function{"hash", "hash(value, …)", "a short text that is always the same for the same values, for keys", `hash("a", "b")`, "r6za55r45vaul7bota774wl5du"}, params: []kinds{kAny}, required: 1, variadic: true, result: kText, whole: true, run: hash},
	}
}

// onText makes a runner of a function of text. None of them makes text much
// longer: html.EscapeString by five at most.
func onText(f func(string) string) runner {
	return func(e *env, at int, args []any) any {
		s := toScalarText(args[0], e.zone)
		if !e.room(len(s), at) {
			return nil
		}
		return e.built(f(s), at)
	}
}

func title(s string) string {
	inside := false
	return strings.Map(func(r rune) rune {
		was := inside
		inside = unicode.IsLetter(r) || unicode.IsDigit(r) || inside && (r == '\'' || r == '’')
		if was {
			return unicode.ToLower(r)
		}
		return unicode.ToTitle(r)
	}, s)
}

func truncate(e *env, at int, args []any) any {
	s := toScalarText(args[0], e.zone)
	f, ok := e.number(args[1])
	if !ok || f < 0 {
		return nil
	}
	if f >= float64(len(s)) {
		return s
	}
	n := int(f)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	if n == 0 {
		return nil
	}
	i, seen := 0, 0
	for i = range s {
		if seen++; seen == n {
			break
		}
	}
	return e.built(strings.TrimRightFunc(s[:i], unicode.IsSpace)+"…", at)
}

// left is truncate without a mark that something is missing: the beginning of a
// postcode, say.
func left(e *env, _ int, args []any) any {
	s := toScalarText(args[0], e.zone)
	f, ok := e.number(args[1])
	if !ok || f < 1 {
		return nil
	}
	n := 0
	for i := range s {
		if float64(n) >= f {
			return s[:i]
		}
		n++
	}
	return s
}

func replace(e *env, at int, args []any) any {
	s, old, by := toScalarText(args[0], e.zone), toScalarText(args[1], e.zone), toScalarText(args[2], e.zone)
	if old == "" {
		return s
	}
	if !e.room(len(s)+strings.Count(s, old)*max(0, len(by)-len(old)), at) {
		return nil
	}
	return strings.ReplaceAll(s, old, by)
}

func toJSONText(e *env, at int, args []any) any {
	if !e.room(size(args[0]), at) {
		return nil
	}
	return e.built(toJSON(args[0]), at)
}

func hash(e *env, at int, args []any) any {
	h := sha256.New()
	found := false
	for _, a := range args {
		s := e.text(a, at)
		found = found || s != ""
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	if !found {
		return nil
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)[:16]))
}

// blockTags end a line of text.
var blockTags = map[string]bool{"br": true, "p": true, "div": true, "li": true, "tr": true, "h1": true, "h2": true, "h3": true, "ul": true, "ol": true, "table": true}

// plainText takes the tags out of HTML in one pass; what stands within script
// and style is left out.
func plainText(s string) string {
	var b strings.Builder
	for s != "" {
		i := strings.IndexByte(s, '<')
		if i < 0 || i+1 >= len(s) || !tagStart(s[i+1]) {
			if i < 0 || i+1 >= len(s) {
				b.WriteString(html.UnescapeString(s))
				break
			}
			b.WriteString(html.UnescapeString(s[:i+1]))
			s = s[i+1:]
			continue
		}
		b.WriteString(html.UnescapeString(s[:i]))
		s = s[i+1:]
		end := strings.IndexByte(s, '>')
		if strings.HasPrefix(s, "!--") {
			if end = strings.Index(s, "-->"); end >= 0 {
				end += 2
			}
		}
		if end < 0 {
			break
		}
		closing := s[0] == '/'
		name := strings.ToLower(strings.TrimLeft(s[:end], "/"))
		if j := strings.IndexAny(name, " \t\n/"); j >= 0 {
			name = name[:j]
		}
		s = s[end+1:]
		if blockTags[name] {
			b.WriteByte('\n')
		}
		if (name == "script" || name == "style") && !closing {
			if j := indexTag(s, "</"+name); j >= 0 {
				s = s[j:]
			} else {
				s = ""
			}
		}
	}
	var lines []string
	for line := range strings.SplitSeq(b.String(), "\n") {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// indexTag is where a tag begins, which is named in small letters. Small letters
// of a text may take another room than its own.
func indexTag(s, tag string) int {
	for from := 0; ; from++ {
		i := strings.IndexByte(s[from:], '<')
		if i < 0 {
			return -1
		}
		if from += i; len(s)-from < len(tag) {
			return -1
		}
		if strings.EqualFold(s[from:from+len(tag)], tag) {
			return from
		}
	}
}

func tagStart(b byte) bool {
	return b == '/' || b == '!' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

func bindPhone(c *compiler, args []operand, _ operand) (runner, kinds) {
	country := c.country
	if len(args) > 1 && !c.knownCountry(args[1]) {
		return nil, kText
	}
	return func(e *env, _ int, args []any) any {
		region := country
		if code := toScalarText(argument(args, 1), e.zone); code != "" {
			region = strings.ToUpper(code)
		}
		return phone(toScalarText(args[0], e.zone), region)
	}, kText
}

// knownCountry reports whether a country that is written out is one.
func (c *compiler) knownCountry(o operand) bool {
	code, ok := o.literal.(string)
	if !ok || knownCountry(code) {
		return true
	}
	hint := `write two letters, such as "DE"`
	if near := diag.Country(code); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	c.problem(o.from, o.to, "unknown country "+code, hint)
	return false
}

func knownCountry(code string) bool {
	return phonenumbers.GetCountryCodeForRegion(strings.ToUpper(code)) != 0
}

// phone returns the number in E.164, or missing if it cannot be one or stands
// where one is withheld. A number may be possible and yet not assigned: that is
// for the CRM's users to see.
func phone(s, country string) any {
	if country != "" && !knownCountry(country) {
		return nil
	}
	n, ok := connectors.ParsePhone(s, country)
	if !ok {
		return nil
	}
	return n.E164
}

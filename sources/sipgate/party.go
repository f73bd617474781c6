package sipgate

import (
	"strings"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
)

// direction is the common word, unknown where none is there; sipgate's products
// have several.
func direction(word string) string {
	switch {
	case word == "in" || strings.HasPrefix(word, "inbound") || strings.HasPrefix(word, "incoming"):
		return "inbound"
	case strings.HasPrefix(word, "out"):
		return "outbound"
	case word == "internal":
		return word
	}
	return "unknown"
}

// number is a number in E.164. sipgate leaves the + out; digits that begin with
// 0 were dialled so, and fewer than 8 are an extension.
func number(s, country string) string {
	if s != "" && strings.Trim(s, "0123456789") == "" && s[0] != '0' {
		if len(s) < 8 {
			return ""
		}
		s = "+" + s
	}
	if rest, ok := strings.CutPrefix(s, "00"); ok {
		s = "+" + rest
	}
	return sources.Phone(s, country)
}

// external is the external party: its number, as answers about names are what
// a machine heard.
func external(c *event.Call) *event.Contact {
	phone := ""
	switch c.Direction {
	case "inbound":
		phone = c.From
	case "outbound":
		phone = c.To
	}
	if phone == "" {
		return nil
	}
	return &event.Contact{Phone: phone}
}

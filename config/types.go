package config

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // time zones, also where the machine has none

	"github.com/nyaruka/phonenumbers"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// Bytes is an amount of data, written like 8MiB, 500kB or 1048576.
type Bytes int64

var units = []struct {
	name string
	size float64
}{{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"b", 1}}

// UnmarshalNode implements diag.Unmarshaler.
func (b *Bytes) UnmarshalNode(n *diag.Node) diag.Problems {
	text, size := strings.ToLower(strings.TrimSpace(n.Value)), 1.0
	for _, u := range units {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			text, size = strings.TrimSpace(rest), u.size
			break
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || n.Shape != diag.Scalar || !(f >= 0) || f*size > math.MaxInt64/2 {
		return diag.Problems{n.Problem("wants an amount of data", "write it like 8MiB or 500kB")}
	}
	*b = Bytes(f * size)
	return nil
}

// Networks are ranges of addresses, written like 10.0.0.0/8; a single address
// stands for itself.
type Networks []netip.Prefix

// UnmarshalNode implements diag.Unmarshaler.
func (ns *Networks) UnmarshalNode(n *diag.Node) (ps diag.Problems) {
	items := n.Items
	switch {
	case n.Null:
		return nil
	case n.Shape == diag.Scalar:
		items = []*diag.Node{n}
	case n.Shape == diag.Mapping:
		return diag.Problems{n.Problem("wants a list of addresses, not "+n.Shape.String(), "")}
	}
	for _, item := range items {
		p, ok := parseNetwork(item.Value)
		if !ok || item.Shape != diag.Scalar {
			ps = append(ps, item.Problem("wants an address or a range of addresses", "write it like 192.0.2.7 or 192.0.2.0/24"))
			continue
		}
		*ns = append(*ns, p)
	}
	return ps
}

func parseNetwork(s string) (netip.Prefix, bool) {
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, false
	}
	return p.Masked(), true
}

// Timezone is an IANA name.
type Timezone string

// UnmarshalNode implements diag.Unmarshaler.
func (z *Timezone) UnmarshalNode(n *diag.Node) diag.Problems {
	if n.Null {
		return nil
	}
	if _, err := time.LoadLocation(n.Value); err != nil || n.Shape != diag.Scalar || n.Value == "" || n.Value == "Local" {
		*z = "UTC" // somebody has said it, if badly
		hint := "write it like Europe/Berlin"
		if near := diag.Zone(n.Value); near != "" {
			hint = "did you mean " + near + "?"
		}
		return diag.Problems{n.Problem("wants the name of a time zone", hint)}
	}
	*z = Timezone(n.Value)
	return nil
}

func (z Timezone) location() *time.Location {
	if l, err := time.LoadLocation(string(z)); err == nil {
		return l
	}
	return time.UTC
}

// Level is the least severity that is logged.
type Level string

// Format is how a log line is written.
type Format string

// Ledger is the kind of ledger.
type Ledger string

var (
	levels  = []string{"debug", "info", "warn", "error"}
	formats = []string{"text", "json"}
	ledgers = []string{"bolt"}
)

// UnmarshalNode implements diag.Unmarshaler.
func (l *Level) UnmarshalNode(n *diag.Node) diag.Problems { return oneOf(n, (*string)(l), levels) }

// UnmarshalNode implements diag.Unmarshaler.
func (f *Format) UnmarshalNode(n *diag.Node) diag.Problems { return oneOf(n, (*string)(f), formats) }

// UnmarshalNode implements diag.Unmarshaler.
func (l *Ledger) UnmarshalNode(n *diag.Node) diag.Problems { return oneOf(n, (*string)(l), ledgers) }

func oneOf(n *diag.Node, into *string, known []string) diag.Problems {
	if n.Null {
		return nil
	}
	if n.Shape != diag.Scalar || !slices.Contains(known, n.Value) {
		return diag.Problems{n.Problem("wants "+strings.Join(known, " or "), diag.DidYouMean(n.Value, known))}
	}
	*into = n.Value
	return nil
}

// CheckCountry returns what is wrong with a country code, and how to mend it;
// "" if it is one.
func CheckCountry(code string) (message, hint string) {
	if phonenumbers.GetCountryCodeForRegion(code) != 0 {
		return "", ""
	}
	hint = "write two letters, such as DE"
	if upper := strings.ToUpper(code); upper != code && phonenumbers.GetCountryCodeForRegion(upper) != 0 {
		hint = fmt.Sprintf("did you mean %s?", upper)
	} else if near := diag.Country(code); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	}
	return "wants the code of a country", hint
}

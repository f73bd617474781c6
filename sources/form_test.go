package sources

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestReadForm(t *testing.T) {
	t.Parallel()
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "&f%d=%d", i, i)
		}
		return b.String()
	}
	for _, c := range []struct {
		name string
		body string
		want string
	}{
		{"plain fields keep their order", "event=hangup&cause=busy", `{"event":"hangup","cause":"busy"}`},
		{"plus and escapes", "user=Vera+Vertrieb&x=Zo%C3%AB%2B%26%3D", `{"user":"Vera Vertrieb","x":"Zoë+&="}`},
		{"brackets make a list, also of one", "user%5B%5D=a&to=b", `{"user":["a"],"to":"b"}`},
		{"brackets that are not escaped", "user[]=a&user[]=b", `{"user":["a","b"]}`},
		{"a repeated name makes a list", "a=1&b=x&a=2", `{"a":["1","2"],"b":"x"}`},
		{"a name with and without brackets is one list", "a=1&a[]=2", `{"a":["1","2"]}`},
		{"a name without value", "a&b=", `{"a":"","b":""}`},
		{"empty pairs are none", "&&a=1&&", `{"a":"1"}`},
		{"a semicolon divides nothing", "a=1;b=2", `{"a":"1;b=2"}`},
		{"a value with an equals sign", "a=b=c", `{"a":"b=c"}`},
		{"signs that HTML minds stay", "a=%3Cb%3E%22", `{"a":"<b>\""}`},
		{"nothing", "", `{}`},
		{"an escape that is cut", "a=%4", "not a form: field 1 is not percent-encoded UTF-8"},
		{"an escape that is none", "b=1&a=%zz", "not a form: field 2 is not percent-encoded UTF-8"},
		{"an escape in the name that is none", "a%=1", "not a form: field 1 is not percent-encoded UTF-8"},
		{"a value that is not UTF-8", "a=%ff", "not a form: field 1 is not percent-encoded UTF-8"},
		{"a raw byte that is not UTF-8", "a=\xff", "not a form: field 1 is not percent-encoded UTF-8"},
		{"names that differ only in case", "callId=1&callid=2", "not a form: two names differ only in case"},
		{"too many fields", many(1001), "not a form: more than 1000 fields"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, raw, err := ReadForm([]byte(c.body))
			got := string(raw)
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	t.Run("a thousand fields are read", func(t *testing.T) {
		t.Parallel()
		if v, _, err := ReadForm([]byte(many(1000))); err != nil || v.Get("f999").Text() != "999" {
			t.Errorf("got %q, %v", v.Get("f999").Text(), err)
		}
	})
	t.Run("the tree reads like that of JSON", func(t *testing.T) {
		t.Parallel()
		v, _, err := ReadForm([]byte("callId=17&user[]=a&user[]=b&nul=x%00y"))
		if err != nil {
			t.Fatal(err)
		}
		var users []string
		for u := range v.Get("user").Items() {
			users = append(users, u.Text())
		}
		if v.Get("callId").Int() != 17 || !slices.Equal(users, []string{"a", "b"}) || v.Get("nul").Text() != "xy" || v.Get("none").Known() {
			t.Errorf("got %d, %q, %q", v.Get("callId").Int(), users, v.Get("nul").Text())
		}
	})
}

func FuzzReadForm(f *testing.F) {
	f.Add("event=newCall&user%5B%5D=Zo%C3%AB+B&user%5B%5D=c")
	f.Add("a[]=1&a=2&%00=%00")
	f.Fuzz(func(t *testing.T, body string) {
		v, raw, err := ReadForm([]byte(body))
		switch {
		case err != nil && (raw != nil || v.Known()):
			t.Error("an error and a form")
		case err == nil && (!json.Valid(raw) || !v.IsObject()):
			t.Errorf("the form is no JSON object: %s", raw)
		}
	})
}

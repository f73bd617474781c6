package docs_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/respondio"
	"github.com/crmsyncd/crmsyncd/sources/sipgate"
	"github.com/crmsyncd/crmsyncd/sources/telli"
	"github.com/crmsyncd/crmsyncd/sources/voipgrid"
	"github.com/crmsyncd/crmsyncd/sources/webhook"
)

// generators make the parts of documents that stand between
// <!-- generated: name --> and <!-- end -->.
var generators = map[string]func(*testing.T) string{
	"event types":   func(*testing.T) string { return words(event.Types) },
	"call statuses": func(*testing.T) string { return words(event.CallStatuses) },
	"directions":    func(*testing.T) string { return words(event.Directions) },
	"model":         modelTable,
	"functions":     functionTable,
	"values":        valueTable,
	"crm types":     crmTypeTable,
	"rule keys": func(t *testing.T) string {
		return keyTable(t, "rule", "name", "description", "enabled", "on", "from", "when", "to", "mode", "on_edit", "on_missing", "records")
	},
	"record keys": func(t *testing.T) string {
		return keyTable(t, "record", "object", "as", "match", "create", "on_many", "fields", "link")
	},
	"field keys":         func(t *testing.T) string { return keyTable(t, "field", "value", "if", "missing", "on_edit") },
	"link keys":          func(t *testing.T) string { return keyTable(t, "link", "to", "field", "type") },
	"settings":           settingsTable,
	"settings defaults":  structTable(config.Defaults{}),
	"settings delivery":  structTable(config.Delivery{}),
	"settings limits":    structTable(config.Limits{}),
	"settings retention": structTable(config.Retention{}),

	"settings reconcile":           structTable(config.Reconcile{}),
	"settings reconcile source":    structTable(config.ReconcileSource{}),
	"settings reconcile connector": structTable(config.ReconcileConnector{}),

	"settings privacy":     structTable(config.Privacy{}),
	"settings log":         structTable(config.Log{}),
	"settings tracing":     structTable(config.Tracing{}),
	"settings tls":         structTable(config.TLS{}),
	"settings acme":        structTable(config.ACME{}),
	"settings eab":         structTable(config.EAB{}),
	"settings admin":       structTable(config.AdminAccess{}),
	"settings admin user":  structTable(config.AdminUser{}),
	"settings access":      structTable(config.Access{}),
	"settings source":      structTable(config.SourceLimits{}),
	"settings connector":   structTable(config.ConnectorMode{}),
	"source sipgate":       vendorTable("sipgate", app.SourceTypes),
	"source telli":         vendorTable("telli", app.SourceTypes),
	"source respondio":     vendorTable("respondio", app.SourceTypes),
	"source voipgrid":      vendorTable("voipgrid", app.SourceTypes),
	"source webhook":       vendorTable("webhook", app.SourceTypes),
	"connector hubspot":    vendorTable("hubspot", app.ConnectorTypes),
	"connector airtable":   vendorTable("airtable", app.ConnectorTypes),
	"connector pipedrive":  vendorTable("pipedrive", app.ConnectorTypes),
	"connector salesforce": vendorTable("salesforce", app.ConnectorTypes),
	"connector webhook":    vendorTable("webhook", app.ConnectorTypes),
	"sipgate samples":      func(*testing.T) string { return words((&sipgate.Source{}).Samples()) },
	"telli samples":        func(*testing.T) string { return words((&telli.Source{}).Samples()) },
	"respondio samples":    func(*testing.T) string { return words((&respondio.Source{}).Samples()) },
	"webhook presets":      func(*testing.T) string { return words(webhook.Presets()) },
	"webhook hmac":         structTable(webhook.HMAC{}),
	"webhook header":       structTable(webhook.Header{}),
	"webhook field":        structTable(webhook.Field{}),
	"webhook jwt":          structTable(webhook.JWT{}),
	"voipgrid samples":     func(*testing.T) string { return words((&voipgrid.Source{}).Samples()) },
}

var generated = regexp.MustCompile(`(?s)<!-- generated: ([a-z ]+) -->\n(.*?)<!-- end -->`)

func TestGenerated(t *testing.T) {
	// Not parallel: with -update it writes what the other tests read.
	seen := map[string]bool{}
	for _, path := range documents(t) {
		old := text(t, path)
		now := generated.ReplaceAllStringFunc(old, func(block string) string {
			name := generated.FindStringSubmatch(block)[1]
			make := generators[name]
			if make == nil {
				t.Errorf("%s: nothing makes %q; known are %v", path, name, slices.Sorted(maps.Keys(generators)))
				return block
			}
			seen[name] = true
			return "<!-- generated: " + name + " -->\n" + make(t) + "<!-- end -->"
		})
		switch {
		case now == old:
		case *update:
			if err := os.WriteFile(path, []byte(now), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s is behind the code; run go test ./docs -update", path)
		}
	}
	for name := range generators {
		if !seen[name] {
			t.Errorf("no document shows %q", name)
		}
	}
	for name := range app.SourceTypes() {
		if !seen["source "+name] {
			t.Errorf("no document shows the settings of sources of type %s", name)
		}
	}
	for name := range app.ConnectorTypes() {
		if !seen["connector "+name] {
			t.Errorf("no document shows the settings of connectors of type %s", name)
		}
	}
}

func words[T ~string](list []T) string {
	quoted := make([]string, len(list))
	for i, w := range list {
		quoted[i] = "`" + string(w) + "`"
	}
	return strings.Join(quoted, " ") + "\n"
}

func table(head string, rows [][]string) string {
	columns := strings.Split(head, "|")
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat(" --- |", len(columns)))
	for _, row := range rows {
		for i := range row {
			row[i] = strings.ReplaceAll(row[i], "|", `\|`)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	return b.String()
}

// modelTable lists every path, and whether telli's webhooks are known to fill it.
func modelTable(t *testing.T) string {
	filled := filledByTelli(t)
	var rows [][]string
	var walk func([]event.Field)
	walk = func(fields []event.Field) {
		for _, f := range fields {
			if f.Kind == event.Object {
				walk(f.Fields)
				continue
			}
			telli := ""
			if filled[f.Path] {
				telli = "yes"
			}
			rows = append(rows, []string{"`" + f.Path + "`", string(f.Kind), f.Doc, telli})
		}
	}
	walk(event.Model())
	return table("path|kind|what it is|from telli", rows)
}

// filledByTelli parses all samples and all payloads of telli's tests.
func filledByTelli(t *testing.T) map[string]bool {
	t.Helper()
	src, err := telli.New("telli", telli.Config{SigningSecret: []config.Secret{"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}}, "DE")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	var bodies [][]byte
	for _, kind := range src.Samples() {
		body, err := src.Sample(kind, 17, at)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	files, _ := filepath.Glob("../sources/telli/testdata/*.json")
	if len(files) < 5 {
		t.Fatalf("telli's payloads are not where they were: %v", files)
	}
	for _, file := range files {
		bodies = append(bodies, []byte(text(t, file)))
	}
	// What every event has, whatever the vendor.
	filled := map[string]bool{"raw": true, "event.id": true, "event.received_at": true, "event.origin": true, "event.source": true, "event.vendor": true}
	var walk func(prefix string, values map[string]any)
	walk = func(prefix string, values map[string]any) {
		for name, v := range values {
			filled[prefix+name] = true
			if m, ok := v.(map[string]any); ok {
				walk(prefix+name+".", m)
			}
		}
	}
	for _, body := range bodies {
		walk("", src.Parse(&sources.Request{Body: body, At: at}).Event.Values())
	}
	return filled
}

func functionTable(*testing.T) string {
	var rows [][]string
	for _, f := range mapping.Functions() {
		rows = append(rows, []string{"`" + f.Signature + "`", f.Doc, "`=" + f.Example + "`", "`" + f.Result + "`"})
	}
	return table("function|what it gives|example|result", rows)
}

// property is what a JSON Schema says of a key.
type property struct {
	Description string              `json:"description"`
	Properties  map[string]property `json:"properties"`
	AnyOf       []property          `json:"anyOf"`
}

func propertyTable(t *testing.T, keys map[string]property, order []string) string {
	t.Helper()
	if got := slices.Sorted(maps.Keys(keys)); !slices.Equal(got, slices.Sorted(slices.Values(order))) {
		t.Errorf("the keys are %v, and the order here is for %v", got, order)
	}
	var rows [][]string
	for _, name := range order {
		what, fallback := split(strings.TrimSuffix(keys[name].Description, "."))
		rows = append(rows, []string{"`" + name + "`", what, fallback})
	}
	return table("key|what it is|default", rows)
}

// keyTable shows what the schema of mapping.yaml says of an object's keys.
func keyTable(t *testing.T, definition string, order ...string) string {
	t.Helper()
	var s struct {
		Definitions map[string]property `json:"definitions"`
	}
	if err := json.Unmarshal(mapping.JSONSchema(), &s); err != nil {
		t.Fatal(err)
	}
	d := s.Definitions[definition]
	for _, either := range d.AnyOf {
		if either.Properties != nil {
			d = either
		}
	}
	if got := slices.Sorted(maps.Keys(d.Properties)); !slices.Equal(got, slices.Sorted(slices.Values(order))) {
		t.Errorf("%s has the keys %v, and the order here is for %v", definition, got, order)
	}
	var rows [][]string
	for _, name := range order {
		rows = append(rows, []string{"`" + name + "`", d.Properties[name].Description})
	}
	return table("key|what it is", rows)
}

func settingsTable(t *testing.T) string {
	var s property
	if err := json.Unmarshal(config.JSONSchema(app.SourceTypes(), app.ConnectorTypes()), &s); err != nil {
		t.Fatal(err)
	}
	return propertyTable(t, s.Properties, []string{"listen", "public_url", "admin", "data_dir", "mapping", "sources", "connectors", "defaults", "delivery", "retention", "privacy", "reconcile", "limits", "log", "trusted_proxies", "tls", "admin_access", "tracing", "ledger"})
}

// split takes "what it is; default x" apart.
func split(doc string) (what, fallback string) {
	what, fallback, _ = strings.Cut(doc, "; default")
	return what, strings.TrimSpace(strings.TrimPrefix(fallback, ":"))
}

func structTable(block any) func(*testing.T) string {
	return func(*testing.T) string {
		var rows [][]string
		for f := range diag.Keys(reflect.TypeOf(block)) {
			name, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if name == "" || name == "-" {
				continue
			}
			what, fallback := split(f.Tag.Get("doc"))
			if option == "required" {
				fallback = "must be given"
			}
			rows = append(rows, []string{"`" + name + "`", what, fallback})
		}
		return table("key|what it is|default", rows)
	}
}

func vendorTable(vendor string, types func() map[string]any) func(*testing.T) string {
	return func(t *testing.T) string {
		block, ok := types()[vendor]
		if !ok {
			t.Fatalf("no type %s is built in", vendor)
		}
		// The keys that all sources have are shown once, in settings.md.
		if v := reflect.ValueOf(block).FieldByName("Vendor"); v.IsValid() {
			block = v.Interface()
		}
		return structTable(block)(t)
	}
}

var statusRow = regexp.MustCompile("(?m)^\\| `([A-Za-z_-]+)`(?:, `([A-Za-z_-]+)`)? \\| `([a-z_]+)` \\|")

// TestTelliStatuses holds the table of statuses in telli.md against the parser.
func TestTelliStatuses(t *testing.T) {
	t.Parallel()
	src, err := telli.New("telli", telli.Config{SigningSecret: []config.Secret{"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}}, "DE")
	if err != nil {
		t.Fatal(err)
	}
	rows := statusRow.FindAllStringSubmatch(text(t, "telli.md"), -1)
	if len(rows) < 8 {
		t.Fatalf("only %d rows of the table were found", len(rows))
	}
	for _, row := range rows {
		for _, word := range row[1:3] {
			if word == "" {
				continue
			}
			body := fmt.Sprintf(`{"event":"call_ended","call":{"call_id":"c1","call_status":%q}}`, word)
			if got := src.Parse(&sources.Request{Body: []byte(body), At: time.Now()}).Event.Call.Status; got != row[3] {
				t.Errorf("telli.md says that %s is %s; it is %s", word, row[3], got)
			}
		}
	}
}

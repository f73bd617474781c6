package salesforce_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	neturl "net/url"
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors/connectortest"
)

func TestProvision(t *testing.T) {
	t.Parallel()
	connectortest.TestProvision(t, connectortest.Provision{
		Sandbox: start,
		New:     connect,
		Shape:   connectortest.Shape{Object: "Contact", Name: "LastName"},
		Name:    func(word string) string { return "Made_" + word + "__c" },
		Bad:     "Made",
		Unique:  true,
		Grant:   grant,
	})
}

// grant is what a person does in Setup.
func grant(t *testing.T, url, object, field string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"ParentId": "0PS000000000000AAA", "SobjectType": object, "Field": object + "." + field, "PermissionsRead": true, "PermissionsEdit": true})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/salesforce/services/data/v68.0/sobjects/FieldPermissions", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+session(t, url))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("granting %s: %s", field, resp.Status)
	}
}

func session(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.PostForm(url+"/salesforce/services/oauth2/token", neturl.Values{"grant_type": {"client_credentials"}, "client_id": {"app"}, "client_secret": {"s"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Token == "" {
		t.Fatalf("no session: %s, %v", resp.Status, err)
	}
	return answer.Token
}

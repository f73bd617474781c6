package webhook

import (
	"bytes"
	"net/http"
	"regexp"

	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/sources"
)

// WithoutTranscript implements sources.Discreet. A token is replaced by its
// claims: it could not be signed again.
func (s *Source) WithoutTranscript(r *sources.Request) []byte {
	media := "application/json"
	body := r.Body
	switch {
	case s.isForm(r):
		media = sources.FormType
	case s.body == "jwt" && !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")):
		t, err := readToken(body)
		if err != nil {
			return body
		}
		body = t.claims
	}
	without := sources.WithoutTranscript(&sources.Request{Header: http.Header{"Content-Type": {media}}, Body: body}, s.transcripts...)
	if bytes.Equal(without, body) {
		return r.Body
	}
	return without
}

var inPayload = regexp.MustCompile(`\braw\.([A-Za-z_]\w*(?:\??\.[A-Za-z_]\w*)*)`)

// transcriptsIn gives the paths of the payload that a formula uses.
func transcriptsIn(n *diag.Node) (paths []string) {
	if n == nil {
		return nil
	}
	for _, m := range inPayload.FindAllStringSubmatch(n.Value, -1) {
		paths = append(paths, string(bytes.ReplaceAll([]byte(m[1]), []byte("?"), nil)))
	}
	return paths
}

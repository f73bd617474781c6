package pipedrive

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const (
	// recording is the field of call logs that no request has: the link in it is
	// downloaded, and the audio attached to the log.
	recording = "recording"
	// maxRecording is the most bytes of one recording; Pipedrive names no limit.
	// An hour of speech takes some 30 MB.
	maxRecording = 100 << 20
	// recordingPatience is how long a download, or an upload, may take.
	recordingPatience = 5 * time.Minute
	// recordingsAtOnce bounds what lies on the disk meanwhile.
	recordingsAtOnce = 2

	refusedAddress = httpx.Refusal("the link leads to a private address; set allow_private if it is meant")
)

// encodeRecording makes a link to a recording right.
func encodeRecording(f field, v connectors.Value) (any, *connectors.Error) {
	s, _ := v.(string)
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, connectors.Wrong(f, v, "a link to an audio file")
	}
	return u.String(), nil
}

// attach downloads the recording of a call log and uploads it, unless the log
// has one. Pipedrive takes one for each log, so that trying again is safe.
func (c *Connector) attach(ctx context.Context, i *item) {
	if i.recording == "" || i.result.ID == "" || i.result.Err != nil || i.before["has_recording"] == true {
		return
	}
	select {
	case c.recordings <- struct{}{}:
		defer func() { <-c.recordings }()
	case <-ctx.Done():
		i.notAttached(connectors.AsError(ctx.Err()))
		return
	}
	file, err := c.fetcher.Fetch(ctx, i.recording)
	if err != nil {
		i.notAttached(notFetched(err))
		return
	}
	defer file.Close()
	kind, ok := audio(file.Type, i.recording)
	if !ok || file.Size == 0 {
		i.notAttached(&connectors.Error{Kind: connectors.Invalid, Code: "NO_AUDIO", Message: "the link leads to no audio file; does it need a login?"})
		return
	}
	q := httpx.Request{
		Method: http.MethodPost, Path: i.shape.kind.path + "/" + url.PathEscape(i.result.ID) + "/recordings", Repeatable: true,
		Upload: &httpx.Upload{Field: "file", Name: "recording" + endings[kind], Type: kind, Size: file.Size, Open: file.Open, Patience: recordingPatience},
	}
	if err := c.call(ctx, q, nil); err != nil && err.Code != codeAttached {
		i.notAttached(err)
	}
}

// notAttached tells of a recording that is not there; the call log itself is.
func (i *item) notAttached(err *connectors.Error) {
	own := *err
	own.Field = recording
	own.Message = "the call log was made, but its recording not attached: " + err.Message
	if own.Kind == connectors.Unknown {
		own.Kind = connectors.Transient // the next try finds what is attached
	}
	i.result.Err = &own
}

func notFetched(err error) *connectors.Error {
	e := &connectors.Error{Kind: connectors.Transient, Code: "RECORDING", Message: err.Error()}
	if failed, ok := errors.AsType[*httpx.FetchError](err); ok {
		e.Err = failed.Unwrap()
		if failed.Final {
			e.Kind = connectors.Invalid
		}
		if failed.Status == http.StatusUnauthorized || failed.Status == http.StatusForbidden || failed.Status == http.StatusNotFound || failed.Status == http.StatusGone {
			e.Message += "; it may need a login, not be there yet, or be over: retry the delivery, or take the field out of the rule"
		}
	}
	return e
}

// endings are media types that browsers play, with the ends of files' names.
var endings = map[string]string{
	"audio/mpeg": ".mp3", "audio/wav": ".wav", "audio/ogg": ".ogg", "audio/mp4": ".m4a", "audio/aac": ".aac", "audio/webm": ".webm", "audio/flac": ".flac",
}

// synonyms are other names of these.
var synonyms = map[string]string{
	"audio/mp3": "audio/mpeg", "audio/x-mpeg": "audio/mpeg", "audio/x-wav": "audio/wav", "audio/wave": "audio/wav", "audio/vnd.wave": "audio/wav",
	"application/ogg": "audio/ogg", "audio/x-m4a": "audio/mp4", "audio/m4a": "audio/mp4", "video/mp4": "audio/mp4", "video/webm": "audio/webm", "audio/x-flac": "audio/flac",
}

// audio gives the media type of a file, of which many servers say nothing; then
// the link's own ending tells.
func audio(kind, link string) (string, bool) {
	kind = strings.ToLower(kind)
	if same := synonyms[kind]; same != "" {
		kind = same
	}
	if endings[kind] != "" {
		return kind, true
	}
	if kind != "" && kind != "application/octet-stream" && kind != "binary/octet-stream" {
		return "", false
	}
	u, err := url.Parse(link)
	if err != nil {
		return "", false
	}
	for kind, end := range endings {
		if strings.EqualFold(path.Ext(u.Path), end) {
			return kind, true
		}
	}
	return "audio/mpeg", path.Ext(u.Path) == "" // as nearly all recordings are
}

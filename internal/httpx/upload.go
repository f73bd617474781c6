package httpx

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"time"
)

// Upload is a file that a request carries as an HTML form does. It is read
// anew for every attempt, and never held in memory as a whole.
type Upload struct {
	Field string // name of the form's field
	Name  string // of the file, as the vendor is told
	Type  string // media type
	Size  int64  // bytes
	Open  func() (io.ReadCloser, error)
	// Patience is how long one attempt may take instead of the client's Timeout,
	// where that is shorter.
	Patience time.Duration

	head, tail []byte
	boundary   string
}

var quoted = strings.NewReplacer("\\", "\\\\", `"`, "\\\"", "\r", "", "\n", "")

// prepare writes what stands around the file.
func (u *Upload) prepare() error {
	var text bytes.Buffer
	w := multipart.NewWriter(&text)
	part := textproto.MIMEHeader{}
	part.Set("Content-Disposition", `form-data; name="`+quoted.Replace(u.Field)+`"; filename="`+quoted.Replace(u.Name)+`"`)
	part.Set("Content-Type", u.Type)
	if _, err := w.CreatePart(part); err != nil {
		return err
	}
	n := text.Len()
	if err := w.Close(); err != nil {
		return err
	}
	u.head, u.tail, u.boundary = text.Bytes()[:n:n], text.Bytes()[n:], w.FormDataContentType()
	return nil
}

// put gives a request the body.
func (u *Upload) put(r *http.Request) error {
	f, err := u.Open()
	if err != nil {
		return err
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(u.head), io.LimitReader(f, u.Size), bytes.NewReader(u.tail)), f}
	r.ContentLength = int64(len(u.head)) + u.Size + int64(len(u.tail))
	r.GetBody = u.body
	return nil
}

// body is what Go's transport asks for where a kept connection was closed
// before anything of the request went out.
func (u *Upload) body() (io.ReadCloser, error) {
	var r http.Request
	if err := u.put(&r); err != nil {
		return nil, err
	}
	return r.Body, nil
}

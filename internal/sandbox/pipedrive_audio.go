package sandbox

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"strings"
)

// pdAudio reads the one file of a form: audio that browsers play.
func pdAudio(c *call) ([]byte, *pdErr) {
	_, params, err := mime.ParseMediaType(c.header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return nil, pdInvalid("The request body is no form")
	}
	form := multipart.NewReader(bytes.NewReader(c.body), params["boundary"])
	var audio []byte
	for n := 0; ; n++ {
		part, err := form.NextPart()
		if err == io.EOF && n == 1 {
			return audio, nil
		}
		if err != nil || n > 0 {
			return nil, pdInvalid("The form must hold one file")
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if audio, err = io.ReadAll(part); err != nil || len(audio) == 0 || part.FormName() != "file" || part.FileName() == "" {
			return nil, pdInvalid("\"file\" is required.")
		}
		if !strings.HasPrefix(kind, "audio/") {
			return nil, pdInvalid("The file is not supported")
		}
	}
}

package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"
)

// Files is a certificate in two files.
type Files struct {
	cert, key string
	now       func() time.Time

	mu      sync.Mutex
	sum     [sha256.Size]byte // of what is used
	used    *tls.Certificate
	problem string
}

// Open reads the pair. It is right if it is valid at some time: one that
// expired is told by Info, and keeps nobody from starting.
func Open(cert, key string) (*Files, error) {
	f := &Files{cert: cert, key: key, now: time.Now}
	text, err := f.read()
	if err != nil {
		return nil, err
	}
	f.used, err = pair(text)
	f.sum = text.sum()
	return f, err
}

type pem struct{ cert, key []byte }

func (p pem) sum() [sha256.Size]byte {
	a, b := sha256.Sum256(p.cert), sha256.Sum256(p.key)
	return sha256.Sum256(append(a[:], b[:]...))
}

func (f *Files) read() (p pem, err error) {
	if p.cert, err = os.ReadFile(f.cert); err != nil {
		return p, unread("certificate", err)
	}
	if p.key, err = os.ReadFile(f.key); err != nil {
		return p, unread("key", err)
	}
	return p, nil
}

// unread leaves the path to the caller, who knows how the settings write it.
func unread(what string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("the file of the " + what + " does not exist")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("the file of the " + what + " may not be read by this user")
	}
	return errors.New("the file of the " + what + " cannot be read")
}

func pair(p pem) (*tls.Certificate, error) {
	c, err := tls.X509KeyPair(p.cert, p.key)
	if err != nil {
		// Errors of crypto/tls name what is wrong and quote nothing of the key.
		return nil, errors.New("certificate and key cannot be used: " + err.Error())
	}
	return &c, nil
}

// Check reads the files again and takes what changed or was mended. A pair that is
// broken, or has expired where the one in use has not, is not taken: that one
// stays, and the error is also in Info until the files are right.
func (f *Files) Check() (changed bool, err error) {
	text, err := f.read()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.problem = err.Error()
		return false, err
	}
	sum := text.sum()
	if sum == f.sum && f.problem == "" {
		return false, nil
	}
	next, err := pair(text)
	if now := f.now(); err == nil && now.After(next.Leaf.NotAfter) && now.Before(f.used.Leaf.NotAfter) {
		err = errors.New("the new certificate has expired, the one before it has not")
	}
	if err != nil {
		f.problem = err.Error()
		return false, err
	}
	f.used, f.sum, f.problem = next, sum, ""
	return true, nil
}

// Leaf is the certificate in use.
func (f *Files) Leaf() *x509.Certificate {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.used.Leaf
}

// Config is for a listener; it always has the certificate in use.
func (f *Files) Config() *tls.Config {
	return config(func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.used, nil
	})
}

// Info describes the certificate in use.
func (f *Files) Info() Info {
	i := infoOf(f.Leaf())
	f.mu.Lock()
	defer f.mu.Unlock()
	i.Problem = f.problem
	return i
}

package access

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Files is where a Guard finds what it needs. Access is a must; Cert and Key belong together; CA
// needs them.
type Files struct {
	Cert, Key string // PEM: the certificate of the listeners with its chain, and its key
	CA        string // PEM: who signs the certificates of callers; empty: they need tokens
	Access    string // YAML: who may do what
	// AnyMode takes keys that everybody on this machine may read.
	AnyMode bool
}

// state is one reading of the files. Static after construction.
type state struct {
	policy *policy
	cert   *tls.Certificate // nil: nothing is encrypted
	roots  *x509.CertPool   // nil: no certificates of callers
	sum    string           // of all that was read
}

// Check reads the files and says everything that is wrong with them, by file.
func (f Files) Check() map[string]error {
	_, faults := f.load()
	return faults
}

// load reads all files or none: a state is never made of what could be read. faults is by file.
func (f Files) load() (*state, map[string]error) {
	st, faults, sum := &state{}, make(map[string]error), sha256.New()
	note := func(path string, err error) {
		if err != nil {
			faults[path] = errors.Join(faults[path], err)
		}
	}
	public := func(path string) ([]byte, error) { return read(path, 0o002, sum) }
	var err error
	st.policy, err = parsePolicy(f.Access, public)
	note(f.Access, err)
	if f.Cert != "" {
		cert, err := public(f.Cert)
		note(f.Cert, err)
		secret := os.FileMode(0o007)
		if f.AnyMode {
			secret = 0o002
		}
		key, errKey := read(f.Key, secret, sum)
		note(f.Key, errKey)
		if err == nil && errKey == nil {
			pair, err := tls.X509KeyPair(cert, key)
			if err == nil && time.Now().After(pair.Leaf.NotAfter) {
				err = fmt.Errorf("it is over since %s", pair.Leaf.NotAfter.Format(time.DateTime))
			}
			note(f.Cert, err)
			st.cert = &pair
		}
	}
	if f.CA != "" {
		b, err := public(f.CA)
		note(f.CA, err)
		st.roots = x509.NewCertPool()
		if err == nil && !st.roots.AppendCertsFromPEM(b) {
			note(f.CA, errors.New("no certificate in it"))
		}
	}
	if st.policy != nil && len(faults) == 0 && f.CA == "" && !st.policy.bearers() {
		note(f.Access, errors.New("callers have certificates only, and there is no CA to check them"))
	}
	st.sum = string(sum.Sum(nil))
	if len(faults) > 0 {
		return nil, faults
	}
	return st, nil
}

// maxFile bounds each file, in bytes.
const maxFile = 4 << 20

// read returns what is in a file, and adds it to sum. Whoever else may write the file decides who
// comes in, and whoever may read a key can be the edge: such modes are refused.
func read(path string, mode os.FileMode, sum hash.Hash) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, errors.Unwrap(err) // the path is said by who asked
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("stat: %w", err)
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, errors.New("not a file")
	case info.Mode()&mode&0o002 != 0:
		return nil, fmt.Errorf("everybody on this machine may write it: chmod o-w %s", filepath.Base(path))
	case info.Mode()&mode != 0:
		return nil, fmt.Errorf("everybody on this machine may read it: chmod o-rwx %s", filepath.Base(path))
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%d bytes, at most %d are allowed", info.Size(), maxFile)
	}
	b, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	fmt.Fprintf(sum, "%s\x00%d\x00", path, len(b))
	sum.Write(b)
	return b, nil
}

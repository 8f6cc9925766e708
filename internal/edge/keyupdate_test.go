package edge

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// forger writes records of a TLS 1.3 connection that crypto/tls would not write.
type forger struct {
	net.Conn
	secret, iv []byte
	aead       cipher.AEAD
	sequence   uint64
}

// forge performs the handshake and takes the client's direction over.
func forge(t *testing.T, c net.Conn) *forger {
	t.Helper()
	var keys bytes.Buffer
	client := tls.Client(c, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, KeyLogWriter: &keys})
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if suite := client.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		t.Fatalf("the cipher suite is %s", tls.CipherSuiteName(suite))
	}
	f := &forger{Conn: c}
	for line := range strings.Lines(keys.String()) {
		if fields := strings.Fields(line); fields[0] == "CLIENT_TRAFFIC_SECRET_0" {
			f.secret, _ = hex.DecodeString(fields[2])
		}
	}
	f.rekey()
	return f
}

// expand is HKDF-Expand-Label of RFC 8446, section 7.1.
func (f *forger) expand(label string, n int) []byte {
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(append(info, byte(len(label))), label...)
	b, err := hkdf.Expand(sha256.New, f.secret, string(append(info, 0)), n)
	if err != nil {
		panic(err)
	}
	return b
}

func (f *forger) rekey() {
	block, err := aes.NewCipher(f.expand("key", 16))
	if err != nil {
		panic(err)
	}
	f.aead, err = cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	f.iv, f.sequence = f.expand("iv", 12), 0
}

// record writes one record of handshake messages.
func (f *forger) record(messages []byte) error {
	plain := append(bytes.Clone(messages), 22)
	header := binary.BigEndian.AppendUint16([]byte{23, 3, 3}, uint16(len(plain)+f.aead.Overhead()))
	nonce := bytes.Clone(f.iv)
	for i, b := range binary.BigEndian.AppendUint64(nil, f.sequence) {
		nonce[4+i] ^= b
	}
	f.sequence++
	_, err := f.Write(f.aead.Seal(header, nonce, plain, header))
	return err
}

// keyUpdate asks the other side to update its key too.
var keyUpdate = []byte{24, 0, 0, 1, 1}

// TestC6_KeyUpdates: floods of KeyUpdate and several in one record (CVE-2026-32283, CVE-2026-56862) end the
// connection that sends them, and nothing else.
func TestC6_KeyUpdates(t *testing.T) {
	s, _, _ := startTLS(t)
	served := func() {
		t.Helper()
		c := tls.Client(dial(t, s.Addr), anyServer)
		io.WriteString(c, "GET /socket.io/ HTTP/1.1\r\nHost: a\r\n\r\n")
		if status, _, _ := read(t, bufio.NewReader(c)); status != 200 {
			t.Errorf("others get %d", status)
		}
	}
	for name, send := range map[string]func(*forger) error{
		"several in one record": func(f *forger) error {
			return f.record(bytes.Repeat(keyUpdate, 3))
		},
		"several in one record, then silence": func(f *forger) error {
			return f.record(append(bytes.Repeat(keyUpdate, 2), 24, 0))
		},
		"a flood": func(f *forger) error {
			for range 10_000 {
				if err := f.record(keyUpdate); err != nil {
					return nil // it has been closed
				}
				f.secret = f.expand("traffic upd", 32)
				f.rekey()
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := forge(t, dial(t, s.Addr))
			f.SetDeadline(time.Now().Add(10 * time.Second))
			if err := send(f); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, f); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("it goes on: %v", err)
			}
			served()
		})
	}
	served()
}

package edge

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	proxyproto "github.com/pires/go-proxyproto"
)

// Bounds of a PROXY header, versions 1 and 2 (reliability table 2.1, C3).
const (
	proxyTimeout = 2 * time.Second
	maxProxy     = 4 << 10 // bytes
)

// proxied is a connection from a trusted proxy, which says in a PROXY header whom it speaks for
// before anything else. The header is read by whoever asks first, for the address or for bytes.
type proxied struct {
	net.Conn
	refused func(layer, reason string)

	once   sync.Once
	client net.Addr // nil: the proxy speaks for itself
	err    error
	ahead  []byte // came with the header; owned by the reader
}

func (p *proxied) header() {
	p.Conn.SetReadDeadline(time.Now().Add(proxyTimeout))
	r := bufio.NewReaderSize(io.LimitReader(p.Conn, maxProxy), 512)
	h, err := proxyproto.Read(r)
	p.Conn.SetReadDeadline(time.Time{})
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		p.refused("tcp", proxySlow)
	case err != nil:
		p.refused("tcp", proxyBroken)
	case h.Command.IsProxy():
		addr, _, ok := h.TCPAddrs()
		if !ok {
			err = errors.New("the PROXY header is not of a TCP connection")
			p.refused("tcp", proxyBroken)
			break
		}
		p.client = addr
	}
	if err != nil {
		p.err = &net.OpError{Op: "read", Net: "tcp", Err: err} // to which net/http says nothing
		return
	}
	if n := r.Buffered(); n > 0 {
		p.ahead = make([]byte, n)
		r.Read(p.ahead)
	}
}

// RemoteAddr implements net.Conn: the client's, not the proxy's. It may wait for the header.
func (p *proxied) RemoteAddr() net.Addr {
	p.once.Do(p.header)
	if p.client == nil {
		return p.Conn.RemoteAddr()
	}
	return p.client
}

// Read implements net.Conn.
func (p *proxied) Read(b []byte) (int, error) {
	p.once.Do(p.header)
	if p.err != nil {
		return 0, p.err
	}
	if len(p.ahead) > 0 {
		n := copy(b, p.ahead)
		if p.ahead = p.ahead[n:]; len(p.ahead) == 0 {
			p.ahead = nil
		}
		return n, nil
	}
	return p.Conn.Read(b)
}

// CloseWrite tells the client that no more will come.
func (p *proxied) CloseWrite() error {
	if half, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// TCPConn returns the connection beneath, nil while bytes that came with the header are unread.
func (p *proxied) TCPConn() *net.TCPConn {
	if len(p.ahead) > 0 {
		return nil
	}
	tcp, _ := p.Conn.(*net.TCPConn)
	return tcp
}

//go:build !linux

package engineio

import "net"

// poller does nothing here: every connection has a reader goroutine.
type poller struct{}

func (p *poller) adopt(*conn, net.Conn) (pipe, error) { return nil, nil }
func (p *poller) stop()                               {}

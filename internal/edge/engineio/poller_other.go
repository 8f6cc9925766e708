//go:build !linux

package engineio

import (
	"errors"
	"net"
)

// poller does nothing here: every connection has a reader goroutine.
type poller struct{}

func (p *poller) adopt(*conn, net.Conn) (pipe, []byte, error) { return nil, nil, nil }
func (p *poller) stop()                                       {}

// A Carrier is never moved here.

func readNow(int32, []byte) (int, error)  { return 0, errors.ErrUnsupported }
func writeNow(int32, []byte) (int, error) { return 0, errors.ErrUnsupported }

//go:build !linux

package loop

import (
	"errors"
	"net"
)

// What a descriptor can be watched for.
const (
	In Events = 1 << iota
	Out
	hungUp
)

// Loops has no loops here.
type Loops struct{}

// Own fails.
func (s *Loops) Own(int32) (Descriptor, error) { return Descriptor{}, errors.ErrUnsupported }

// Hurry does nothing.
func (s *Loops) Hurry() {}

// Duplicate fails.
func (s *Loops) Duplicate(*net.TCPConn) (Descriptor, error) {
	return Descriptor{}, errors.ErrUnsupported
}

// Stop does nothing.
func (s *Loops) Stop() {}

// Descriptor is never had here.
type Descriptor struct{}

// All of these fail.

func (d *Descriptor) Arrive(Events, Arrival) error  { return errors.ErrUnsupported }
func (d *Descriptor) Release() int32                { return -1 }
func (d *Descriptor) Start(Events, Handler) error   { return errors.ErrUnsupported }
func (d *Descriptor) Hand(Handler) Descriptor       { return Descriptor{} }
func (d *Descriptor) Started() bool                 { return false }
func (d *Descriptor) Look(Events) error             { return errors.ErrUnsupported }
func (d *Descriptor) Mask() Events                  { return 0 }
func (d *Descriptor) Close()                        {}
func (d *Descriptor) CloseWrite()                   {}
func (d *Descriptor) CloseRead()                    {}
func (d *Descriptor) Read([]byte) (int, error)      { return 0, errors.ErrUnsupported }
func (d *Descriptor) Write([]byte) (int, error)     { return 0, errors.ErrUnsupported }
func (d *Descriptor) WriteMore([]byte) (int, error) { return 0, errors.ErrUnsupported }

package socketio

import (
	"bytes"
	"math"

	"github.com/sio-edge/sio-edge/internal/edge/wire/sio"
)

// SaveAll saves every session and every packet again, for a Store that has lost what it had.
func (s *Server) SaveAll() {
	if s.store == nil {
		return
	}
	for _, n := range s.namespaces() {
		n.saveAll()
	}
}

func (n *Namespace) saveAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gone || !n.recovery {
		return
	}
	for i := range n.log.packets {
		p := &n.log.packets[i]
		e, err := p.emit(n)
		if err != nil {
			n.log.cut = max(n.log.cut, p.offset) // it cannot be kept, so it must not be missed in silence
			continue
		}
		n.srv.store.SavePacket(n.Name, p.offset, n.appendPacket(nil, e, p))
	}
	if n.log.cut > 0 {
		n.srv.store.SaveNamespace(n.Name, appendUint(nil, 1, n.log.cut))
	}
	for _, k := range n.all {
		n.saveLocked(k)
	}
}

// emit is the command that the packet was made of, as far as its record tells it.
func (p *packet) emit(n *Namespace) (*Emit, error) {
	d := sio.Decoder{Limits: &sio.Limits{Attachments: 1024, AttachmentBytes: math.MaxInt, Namespace: math.MaxInt,
		Name: math.MaxInt, Args: math.MaxInt, Depth: n.srv.cfg.Limits.Depth + 1, Auth: math.MaxInt}}
	text, whole, err := d.Text(bytes.Clone(p.message.Text()))
	for _, a := range p.message.Attachments() {
		if err == nil {
			text, whole, err = d.Binary(a)
		}
	}
	if err != nil || !whole {
		return nil, errRecord
	}
	e := &Emit{Event: string(text.Name), Args: text.Data, Attachments: p.message.Attachments(), TTL: p.ttl}
	if p.ack != nil || p.orphan {
		e.AckTimeout = 1
	} else {
		e.Args = withoutLast(e.Args, formatOffset(p.offset))
	}
	if p.target != nil {
		e.Target = *p.target
	} else {
		e.Target.SIDs = []string{p.sid}
	}
	return e, nil
}

// withoutLast takes the offset off an array of arguments.
func withoutLast(args []byte, offset string) []byte {
	rest, ended := bytes.CutSuffix(args, []byte(`"`+offset+`"]`))
	if !ended {
		return args
	}
	return append(bytes.TrimSuffix(rest, []byte(",")), ']')
}

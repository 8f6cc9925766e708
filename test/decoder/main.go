// Command decoder decodes what test/e2e/decoders.test.mjs also has the reference decode: a line
// of JSON in, a line of JSON out.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/sio-edge/sio-edge/internal/edge/wire/eio"
	"github.com/sio-edge/sio-edge/internal/edge/wire/sio"
)

// input is an Engine.IO packet, a polling payload, or the messages of one connection.
type input struct {
	Packet, Payload *string
	Messages        []message
}

// message is text or binary.
type message struct {
	Text   *string
	Binary []byte
}

// output is what became of it, up to the first fault.
type output struct {
	Packets []any  `json:"packets"`
	Fault   string `json:"fault,omitempty"`
	At      int    `json:"at"` // the message with the fault
}

type engine struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Binary []byte `json:"binary,omitempty"`
}

type socket struct {
	Type        uint8           `json:"type"`
	Namespace   string          `json:"nsp"`
	ID          *uint64         `json:"id,omitempty"`
	Name        json.RawMessage `json:"name,omitempty"`
	Data        json.RawMessage `json:"data,omitempty"`
	Attachments [][]byte        `json:"attachments,omitempty"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for lines.Scan() {
		var in input
		if err := json.Unmarshal(lines.Bytes(), &in); err != nil {
			log.Fatalf("%.100q: %v", lines.Text(), err)
		}
		if err := encoder.Encode(decode(in)); err != nil {
			log.Fatal(err)
		}
	}
}

func decode(in input) (out output) {
	out.Packets = []any{}
	switch {
	case in.Packet != nil:
		p, err := eio.ParseText([]byte(*in.Packet))
		if err != nil {
			out.Fault = err.Error()
			return out
		}
		out.Packets = append(out.Packets, engineOf(p))
	case in.Payload != nil:
		for p, err := range eio.Packets([]byte(*in.Payload)) {
			if err != nil {
				out.Fault = err.Error()
				return out
			}
			out.Packets = append(out.Packets, engineOf(p))
		}
	}
	var d sio.Decoder
	for i, m := range in.Messages {
		var p sio.Packet
		var complete bool
		var err error
		if m.Text != nil {
			p, complete, err = d.Text([]byte(*m.Text))
		} else {
			p, complete, err = d.Binary(m.Binary)
		}
		if err != nil {
			out.Fault, out.At = err.Error(), i
			return out
		}
		if complete {
			out.Packets = append(out.Packets, socketOf(p))
		}
	}
	return out
}

func engineOf(p eio.Packet) engine {
	if p.Binary {
		return engine{Type: fmt.Sprintf("%c", p.Type), Binary: p.Data}
	}
	return engine{Type: fmt.Sprintf("%c", p.Type), Text: string(p.Data)}
}

func socketOf(p sio.Packet) socket {
	s := socket{Type: uint8(p.Type), Namespace: "/", Data: p.Data, Attachments: p.Attachments}
	if p.Namespace != nil {
		s.Namespace = string(p.Namespace)
	}
	if p.HasID {
		s.ID = &p.ID
	}
	if p.Type == sio.Event {
		s.Name = p.Name
		if !p.NumericName {
			s.Name, _ = json.Marshal(string(p.Name))
		}
	}
	return s
}

package convert

import (
	"bytes"

	"google.golang.org/protobuf/encoding/protowire"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Reply is the contract's Reply. Its bytes lie in those of the message that it came in.
type Reply struct {
	DeliveryID  uint64
	JSON        []byte
	Attachments [][]byte
}

// RepliesOf is what the generated code has read.
func RepliesOf(all ...*pb.Reply) []Reply {
	replies := make([]Reply, len(all))
	for i, r := range all {
		replies[i] = Reply{r.DeliveryId, r.GetPayload().GetJson(), r.GetPayload().GetAttachments()}
	}
	return replies
}

// Payload is a copy of what the reply answers.
func (r *Reply) Payload() *pb.Payload {
	p := &pb.Payload{Json: bytes.Clone(r.JSON)}
	for _, a := range r.Attachments {
		p.Attachments = append(p.Attachments, bytes.Clone(a))
	}
	return p
}

// Replies reads a SubscribeRequest with replies from its bytes: under load most of what backends
// send is that, and making objects of it was a tenth of the edge's work. The zero value is ready.
type Replies struct {
	All []Reply // of the last Parse

	attachments [][]byte // of all of them
}

// The tags of what is read here, from event_service.proto and event.proto.
const (
	tagReply             = 4<<3 | byte(protowire.BytesType)
	tagReplies           = 9<<3 | byte(protowire.BytesType)
	tagBatchReply        = 1<<3 | byte(protowire.BytesType)
	tagReplyDelivery     = 1<<3 | byte(protowire.VarintType)
	tagReplyPayload      = 2<<3 | byte(protowire.BytesType)
	tagPayloadJSON       = byte(payloadJSON)<<3 | byte(protowire.BytesType)
	tagPayloadAttachment = byte(payloadAttachments)<<3 | byte(protowire.BytesType)
)

// Parse reads b into All, whose memory it uses again. It returns false for what is not replies
// alone, and for what no encoder writes: fields twice, unknown, or cut short. That is for the
// generated code to read.
func (r *Replies) Parse(b []byte) bool {
	clear(r.All)
	clear(r.attachments)
	r.All, r.attachments = r.All[:0], r.attachments[:0]
	if len(b) == 0 {
		return false
	}
	body, rest, ok := cutBytes(b[1:])
	if !ok || len(rest) > 0 {
		return false
	}
	switch b[0] {
	case tagReply:
		return r.reply(body)
	case tagReplies:
		for len(body) > 0 {
			if body[0] != tagBatchReply {
				return false
			}
			var one []byte
			if one, body, ok = cutBytes(body[1:]); !ok || !r.reply(one) {
				return false
			}
		}
		return true
	}
	return false
}

// reply reads one reply.
func (r *Replies) reply(b []byte) bool {
	var p Reply
	if len(b) > 0 && b[0] == tagReplyDelivery {
		id, n := protowire.ConsumeVarint(b[1:])
		if n < 0 {
			return false
		}
		p.DeliveryID, b = id, b[1+n:]
	}
	if len(b) > 0 {
		payload, rest, ok := cutBytes(b[1:])
		if b[0] != tagReplyPayload || !ok || len(rest) > 0 || !r.payload(&p, payload) {
			return false
		}
	}
	r.All = append(r.All, p)
	return true
}

func (r *Replies) payload(p *Reply, b []byte) (ok bool) {
	if len(b) > 0 && b[0] == tagPayloadJSON {
		if p.JSON, b, ok = cutBytes(b[1:]); !ok {
			return false
		}
	}
	first := len(r.attachments)
	for len(b) > 0 {
		if b[0] != tagPayloadAttachment {
			return false
		}
		var a []byte
		if a, b, ok = cutBytes(b[1:]); !ok {
			return false
		}
		r.attachments = append(r.attachments, a)
	}
	p.Attachments = r.attachments[first:len(r.attachments):len(r.attachments)]
	return true
}

// cutBytes cuts the bytes off b that it tells the number of.
func cutBytes(b []byte) (v, rest []byte, ok bool) {
	if len(b) == 0 {
		return nil, nil, false
	}
	n, size := uint64(b[0]), 1
	if n >= 0x80 {
		if n, size = protowire.ConsumeVarint(b); size < 0 {
			return nil, nil, false
		}
	}
	if n > uint64(len(b)-size) {
		return nil, nil, false
	}
	end := size + int(n)
	return b[size:end:end], b[end:], true
}

package convert

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// withheld are the fields that hold what clients and applications say to each other, or secrets of
// theirs: who looks after the edge does without.
var withheld = map[protoreflect.FullName]bool{
	"sioedge.v1.Session.attributes":          true,
	"sioedge.v1.Handshake.query":             true,
	"sioedge.v1.Handshake.headers":           true,
	"sioedge.v1.ConnectRequested.attributes": true,
	"sioedge.v1.ConnectRequested.auth_json":  true,
	"sioedge.v1.Opened.auth_json":            true,
	"sioedge.v1.Resumed.auth_json":           true,
	"sioedge.v1.Session.auth_json":           true,
	"sioedge.v1.ClientEvent.payload":         true,
	"sioedge.v1.Emit.payload":                true,
	"sioedge.v1.Emit.args":                   true,
	"sioedge.v1.Settled.reply":               true,
}

// Withhold removes what people who run the edge have no business with from a message that nobody
// else has.
func Withhold(m proto.Message) { withhold(m.ProtoReflect()) }

func withhold(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case withheld[f.FullName()]:
			m.Clear(f)
		case f.Message() == nil || f.IsMap():
		case f.IsList():
			for i := range v.List().Len() {
				withhold(v.List().Get(i).Message())
			}
		default:
			withhold(v.Message())
		}
		return true
	})
}

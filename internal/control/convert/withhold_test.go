package convert

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Whatever the services for operators answer, fields that can hold what applications say are
// withheld: those of bytes, payloads, maps and JSON values.
func TestEveryFieldForPayloadsIsWithheld(t *testing.T) {
	used := make(map[protoreflect.FullName]bool)
	seen := make(map[protoreflect.FullName]bool)
	var look func(m protoreflect.MessageDescriptor)
	look = func(m protoreflect.MessageDescriptor) {
		if seen[m.FullName()] {
			return
		}
		seen[m.FullName()] = true
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			risky := f.Kind() == protoreflect.BytesKind || f.IsMap() || f.Message() != nil &&
				(f.Message().FullName() == "sioedge.v1.Payload" || f.Message().ParentFile().Package() == "google.protobuf" && f.Message().Name() == "ListValue")
			if risky && !withheld[f.FullName()] {
				t.Errorf("%s is shown to everybody who may see a %s", f.FullName(), m.Name())
			}
			used[f.FullName()] = true
			if f.Message() != nil && !withheld[f.FullName()] {
				look(f.Message())
			}
		}
	}
	for _, f := range []protoreflect.FileDescriptor{pb.File_sioedge_v1_session_service_proto, pb.File_sioedge_v1_admin_service_proto} {
		for i := range f.Services().Len() {
			for j := range f.Services().Get(i).Methods().Len() {
				if m := f.Services().Get(i).Methods().Get(j); m.Name() != "Backup" { // which takes payload-debug
					look(m.Output())
				}
			}
		}
	}
	for name := range withheld {
		if !used[name] {
			t.Errorf("%s is nowhere", name)
		}
	}
}

package access

import (
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Touch is what a method may read or change: what is checked again inside it.
type Touch uint8

// What methods touch.
const (
	Nothing    Touch = iota // of clients
	Edge                    // figures of the whole edge
	Group                   // the group that the request names
	Namespaces              // those that the request, or each command or route in it, names
	Everything              // whatever passes
)

// Row is who may call a method.
type Row struct {
	Roles   Roles // any of these lets in
	Also    Roles // and all of these have to be held
	Touches Touch
	Audited bool // each call is in the audit log
}

// Methods is the table of authorisation: whatever is not in it may be called by nobody.
var Methods = map[protoreflect.FullName]Row{
	"sioedge.v1.EventService.Subscribe": {Roles: Backend, Touches: Namespaces},

	"sioedge.v1.CommandService.Execute":     {Roles: Backend | Emitter | Admin, Touches: Namespaces},
	"sioedge.v1.CommandService.EmitWithAck": {Roles: Backend | Emitter, Touches: Namespaces},

	"sioedge.v1.SessionService.GetSession":    {Roles: Backend | Observer | Admin, Touches: Namespaces},
	"sioedge.v1.SessionService.ListSessions":  {Roles: Backend | Observer | Admin, Touches: Namespaces},
	"sioedge.v1.SessionService.CountSessions": {Roles: Backend | Observer | Admin, Touches: Namespaces},
	"sioedge.v1.SessionService.ListRooms":     {Roles: Backend | Observer | Admin, Touches: Namespaces},

	"sioedge.v1.AdminService.GetEdge":            {Roles: Observer | Drainer | Admin, Touches: Edge},
	"sioedge.v1.AdminService.ListGroups":         {Roles: Observer | Admin, Touches: Edge},
	"sioedge.v1.AdminService.ListDeadLetters":    {Roles: Admin, Touches: Group},
	"sioedge.v1.AdminService.RedriveDeadLetters": {Roles: Admin, Touches: Group, Audited: true},
	"sioedge.v1.AdminService.SeekGroup":          {Roles: Admin, Touches: Group, Audited: true},
	"sioedge.v1.AdminService.PauseGroup":         {Roles: Admin, Touches: Group, Audited: true},
	"sioedge.v1.AdminService.ResumeGroup":        {Roles: Admin, Touches: Group, Audited: true},
	"sioedge.v1.AdminService.TailEvents":         {Roles: Admin, Touches: Everything, Audited: true},
	"sioedge.v1.AdminService.ListSlowClients":    {Roles: Observer | Admin, Touches: Everything},
	"sioedge.v1.AdminService.ListRefusals":       {Roles: Observer | Admin, Touches: Edge},
	"sioedge.v1.AdminService.Drain":              {Roles: Drainer | Admin, Touches: Edge, Audited: true},
	"sioedge.v1.AdminService.Backup":             {Roles: Admin, Also: PayloadDebug, Touches: Everything, Audited: true},

	"grpc.health.v1.Health.Check": {Roles: Anyone},
	"grpc.health.v1.Health.List":  {Roles: Anyone},
	"grpc.health.v1.Health.Watch": {Roles: Anyone},
}

// Operations is the same for what a Command may do, by the field of its op. A command is for one
// namespace, but for an answer: Backend and Emitter count there only.
var Operations = map[protoreflect.Name]Roles{
	"emit":       Backend | Emitter,
	"join":       Backend,
	"leave":      Backend,
	"disconnect": Backend | Admin,
	"update":     Backend,
	"tell":       Backend,
	"answer":     Backend,
}

// Pages is the same for what the ops listener has beside the methods, by the path of the pattern
// that serves it. Open are those that say nothing of clients, for probes and scrapers, which have
// no credentials.
var Pages = map[string]struct {
	Roles Roles
	Open  bool
}{
	"/healthz":             {Open: true},
	"/healthz/ready":       {Open: true},
	"/healthz/live":        {Open: true},
	"/metrics":             {Open: true},
	"/":                    {Roles: Observer | Drainer | Admin}, // the console; what it shows are calls of its own
	"/events/tail":         {Roles: Methods["sioedge.v1.AdminService.TailEvents"].Roles},
	"/debug/pprof/":        {Roles: Admin},
	"/debug/pprof/profile": {Roles: Admin},
	"/debug/pprof/trace":   {Roles: Admin},
}

// files are those whose methods the control listener serves.
var files = []protoreflect.FileDescriptor{
	pb.File_sioedge_v1_event_service_proto, pb.File_sioedge_v1_command_service_proto, pb.File_sioedge_v1_session_service_proto,
	pb.File_sioedge_v1_admin_service_proto, grpc_health_v1.File_grpc_health_v1_health_proto,
}

// method is a row and the descriptor that it is about.
type method struct {
	Row
	name protoreflect.FullName
}

// Audited says whether each call of a method is in the audit log. path is that of a call.
func Audited(path string) bool { return methods[path].Audited }

// methods is Methods by the path of a call. The paths are made of descriptors: one that only looks
// like that of a method, by its case or its slashes, is not there.
var methods = func() map[string]method {
	all := make(map[string]method)
	for _, f := range files {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				m := s.Methods().Get(j)
				if row, ok := Methods[m.FullName()]; ok {
					all["/"+string(s.FullName())+"/"+string(m.Name())] = method{row, m.FullName()}
				}
			}
		}
	}
	return all
}()

// Package sioedge is the Go SDK of sio-edge: Socket.IO handlers in a process of their own, which
// may crash, deploy and scale without a client noticing.
//
//	func main() {
//		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
//		defer stop()
//		edge := sioedge.New("127.0.0.1:7070", sioedge.Group("chat"))
//		edge.OnConnect(func(ctx context.Context, s *sioedge.Socket) error {
//			if s.Auth().String("token") == "" {
//				return sioedge.Reject("not authorized", nil)
//			}
//			return s.Join("lobby")
//		})
//		edge.On("say", func(ctx context.Context, s *sioedge.Socket, msg Message) error {
//			return edge.To("lobby").Except(s.ID()).Emit(ctx, "said", msg)
//		})
//		edge.On("sum", func(ctx context.Context, s *sioedge.Socket, a, b int) (int, error) { return a + b, nil })
//		edge.OnDisconnect(func(ctx context.Context, s *sioedge.Socket, why sioedge.Reason) { log.Println(s.ID(), why) })
//		if err := edge.Run(ctx); err != nil {
//			log.Fatal(err)
//		}
//	}
//
// # Handlers
//
// The handlers of one socket run one at a time and in the order of its events; those of different
// sockets run in parallel, at most [Concurrency] at a time. An event whose handler returns nil is
// settled for good, and the handler's results call the client's acknowledgement callback. One
// whose handler returns an error or panics is handed back: the edge delivers it again, and after
// five attempts sets it aside. A process does not run a handler twice for an event it has handled,
// but an event may be handled by two processes when one is lost: handlers should be idempotent.
//
// [Namespace.OnConnect] decides who comes in. What it does to its socket goes into the decision:
// the client finds itself in the rooms joined there, and receives what was emitted there before
// anything else. A program that only wants to know who came uses [Namespace.OnOpen], and clients
// are admitted without it.
//
// # Arguments
//
// A handler's parameters after the socket are the arguments of the event, decoded as by
// encoding/json; missing ones are zero, surplus ones are ignored. A []byte, at any depth, is a
// binary attachment, in both directions. A last parameter of type [Ack] answers by hand; a
// variadic parameter takes the rest; [Args] takes or returns all of them without decoding. An
// event whose arguments do not fit the handler is logged and settled: sending it again would not
// make it fit.
//
// # Commands
//
// Everything sent to the edge is sent in order on one stream: what is emitted before a handler
// returns reaches the client before the acknowledgement. Emit waits until the edge has taken the
// event, and says so; [Target.NoWait] and the methods without a context only queue. Either way a
// command is sent again after a lost connection, under the same id, until the edge has answered
// it, so that it happens once. Volatile emits are neither waited for nor sent again.
//
// # Security
//
// An edge on another machine wants to know who calls it, by a certificate or by a token:
//
//	edge := sioedge.New("edge.example:7070", sioedge.Group("chat"), sioedge.TLSFiles("ca.crt", "chat.crt", "chat.key"))
//	edge := sioedge.New("edge.example:7070", sioedge.Group("chat"), sioedge.TLSFiles("ca.crt", "", ""), sioedge.TokenFile("chat.token"))
//
// The files are read again when they are needed, so that they can be replaced while the program
// runs. What the edge does not know, or does not allow in this namespace or group, ends
// [Edge.Run] with an [Error] whose Code is Unauthenticated or PermissionDenied. [TLS] and
// [Credentials] take what other programs have made of certificates.
//
// # Other processes
//
// [Namespace.Tell] says something to the other processes of the group, which hear it with
// [Namespace.OnTold]; [Namespace.TellWithAck] asks them. Clients learn nothing of it.
package sioedge

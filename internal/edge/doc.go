// Package edge is the front door of sio-edge: the listeners for clients and operators, the
// hardening of HTTP in front of net/http, health, and the drain. Beneath it, in folders of
// their own, are the floors that speak Engine.IO and Socket.IO.
//
// # The floors
//
//	6  cmd/sio-edge             configuration in, floors built bottom to top, drained top to bottom
//	5  internal/control         the gRPC services
//	   internal/control/access  who may do what on the listeners of backends and operators
//	4  internal/control/group   groups: members, assignment, queue, redelivery
//	   internal/control/convert socketio types <-> protobuf; pure
//	   internal/edge            this package
//	3  internal/edge/socketio   namespaces, sockets, rooms, acks, recovery
//	   internal/edge/store      bbolt: sessions, packet log, event log, cursors; one committer
//	2  internal/edge/engineio   HTTP, WebSocket, upgrade, heartbeat
//	1  internal/edge/loop       descriptors that are ready, without a goroutine for each
//	   internal/edge/deadline   many deadlines of one length
//	   internal/edge/wire/eio   bytes <-> Engine.IO packets; pure
//	   internal/edge/wire/sio   bytes <-> Socket.IO packets; pure
//	   internal/nonblock        calls on sockets of which the scheduler is not told
//	   internal/grpcconn        gRPC's connections, which make such calls
//	   internal/latency         how long things took, in buckets
//	   internal/trace           some client events, followed by OpenTelemetry
//
// A package imports lower floors only. What a lower floor needs from above it declares as a small
// interface where it is used: Engine here, engineio.Handler, socketio.Backend. internal/edge
// speaks Socket.IO, internal/control speaks protobuf, and only the latter imports generated code.
// Two short package names mean bytes (eio, sio), two long ones mean behaviour.
//
// # The route of a frame
//
// Up, on the goroutine that read the bytes:
//
//	bytes -> eio.Packet                     engineio
//	heartbeat answered                      engineio
//	message -> sio.Packet                   socketio
//	connect, ack, disconnect handled        socketio
//	one Event, queued for every group whose routes match, waiting for nobody    group
//	queue -> gRPC                           control, on the stream's own goroutine
//
// Down, on the goroutine that read the command:
//
//	gRPC -> Command                         control
//	sockets selected, packet encoded once, logged and queued on each, under one lock    socketio
//	written once the lock is released, by whoever drains the Socket: a poll for one request, a
//	WebSocket for life; what one gRPC message made leaves with one write a connection    engineio
//	the result goes back once the commit that holds what it accepts is on disk    store, control
//
// Both queues are bounded. A group without room pauses reading from the clients that fill it; a
// client without room is closed and keeps its session. Nobody else waits.
//
// # Goroutines
//
// Each has a parent that waits for it. Server.Run starts one per listener; net/http one per
// connection that HTTP is spoken on, which lasts for the request of a poll. A connection that is
// awaited or idle is to cost no goroutine where the system can tell which connections are readable:
// epoll loops, one for each CPU, read the request of a WebSocket, and read and write it from then on.
// control has three goroutines for each stream (it reads, it sends deliveries, it sends the rest),
// store has its committer.
//
// # What outlives the process
//
// Memory is the truth while the process lives. A session's record and the event that tells of its
// change are put into one commit, and the event is held until that is on disk: whatever instant
// the process dies at, what backends and clients were told of is found again. Packets are logged
// when they are emitted and committed behind; only the result of the emit waits for it. What a
// group has not settled is on disk once it has waited, or before delivery if the group asks.
//
// # Locks
//
// A lock guards the fields below it in its struct. Nobody calls out of a package or does I/O
// with a lock held, except where an interface says so (socketio.Backend.Deliver): collect under
// the lock, act after it. A method whose name ends in Locked needs the lock of its receiver.
//
// # From the door to the engine
//
// A plain connection stands at the door until its first request head is here, watched by a loop. The
// head is checked as it came from the network. If it asks for a WebSocket the loop parses it, routes
// it and answers it, and what watches the connection passes from arrival to engineio. Any other
// connection is passed on to net/http with what it has sent, wrapped in one that checks each head
// before net/http repairs it; so is every connection on which TLS or a PROXY header comes first. On
// upgrade that layer steps aside: its method TCPConn returns the connection beneath, or nil while it
// has bytes read ahead.
package edge

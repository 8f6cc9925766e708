// Package engineio speaks the Engine.IO protocol, version 4, with clients: the handshake over
// HTTP, long-polling, WebSocket, the upgrade from one to the other, and the heartbeat.
//
// # Who moves the bytes
//
// A Socket is one session, whichever transport carries it now. What is queued on it leaves with
// whoever drains it: a waiting GET drains once, a WebSocket drains for life, and an upgrade is
// nothing but a change of drainer. A flush writes everything that is queued with as few system
// calls as possible, on the goroutine that asks for it; there is no writer goroutine.
//
// On Linux a WebSocket over plain TCP has no goroutine, no timer and no buffer while it is idle:
// its descriptor waits in an epoll set, and a few loops read whatever becomes readable into one
// buffer each (package loop). Any other connection has one reader goroutine, and one writer
// goroutine while it has a backlog (pipe.go). Both feed the same conn.
//
// # Locks
//
// Socket.recvMu orders what happens towards the Handler and guards the assembly of what arrives.
// Socket.mu guards everything else of a Socket and of its connections. recvMu is taken first, and
// neither Queue, Flush, Close, Pause nor Unpause takes it. The lists of deadlines and the table of
// sockets have locks of their own, under which nothing else is locked. A write that cannot block
// is made under Socket.mu, which is what keeps frames whole.
package engineio

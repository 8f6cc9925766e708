// Package bench puts load on a Socket.IO server, checks every answer and reports what one CPU
// second of the server was good for. It speaks raw WebSocket frames on one thread, so that it
// costs less than the servers it measures, and counts what is lost, wrong or out of order.
//
// The server must have the events of examples/conformance: echo acknowledges with its arguments,
// bcast goes to everyone, join enters rooms, room goes to one of them.
//
// One goroutine, locked to its thread, owns all connections of a load and everything in it: there
// are no locks on the way of a message. Only scenarios whose connections come and go, or that
// speak HTTP, use a goroutine for each client. The generator needs epoll and /proc, hence Linux.
package bench

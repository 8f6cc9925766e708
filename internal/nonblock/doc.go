// Package nonblock makes calls on sockets that never wait, and does not tell Go's scheduler of them.
//
// The scheduler has to know of calls that may wait, to run something else meanwhile. Of one that
// does not wait, it is told for nothing; and if the process has been idle, the first such call wakes
// the runtime's monitor, a thread that then looks every few microseconds whether the call has come
// back. With one processor that was a third of what an event cost at 2,000 a second.
//
// What the monitor is good for is owed elsewhere: it interrupts goroutines that run for more than
// 10 ms, and looks at the network when nobody else does. Whoever may run for as long calls Rouse now
// and then.
//
// It is there on Linux. Elsewhere there is only a Rouse that does nothing, since every call is an
// ordinary one.
package nonblock

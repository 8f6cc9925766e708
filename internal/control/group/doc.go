// Package group hands the events of sessions to backend groups: who gets which session, what
// waits, what is delivered again. It knows no gRPC and no protobuf.
//
// A group's queue holds what is not settled, in the order of offsets. The entries of one session
// form a line; a line exists only while something of its session is not settled, so that idle
// sessions cost nothing. A line belongs to one place, the seat of one member id, chosen by
// rendezvous hashing; it changes its place only while nothing of it is outstanding, so that no
// session ever has two owners.
//
// A place outlives the stream of its member by Spec.MemberGrace. While other members are
// attached nothing waits for it longer than Config.Handover, though: from then on those of its
// sessions that have events are lent to others, one by one, and go home when the member is back
// or move for good when the grace ends. Idle sessions never notice a restart of their backend.
//
// Locks, in the order in which they may be taken: group.change (changes of the set of places,
// one after the other; held while sessions are listed), Groups.order (offsets, so that the order
// of offsets is the order of every queue), Groups.mu (which groups there are), group.mu (all
// else of one group), pauses.mu. Nothing outside the package is called under any but the first:
// what has to be done after is collected in effects.
package group

package socketio

import "crypto/sha256"

// privateID is what the edge keeps of the pid that a client resumes with, in memory as on disk:
// the first half of its SHA-256, which is enough to know it again. Whoever reads the store, a backup
// of it or a core dump has no key to a session.
type privateID [sha256.Size / 2]byte

// privateIDOf returns the zero privateID, which no session has, for no pid.
func privateIDOf(pid string) (id privateID) {
	if pid != "" {
		sum := sha256.Sum256([]byte(pid))
		copy(id[:], sum[:])
	}
	return id
}

package engineio

// due is a kind of deadline. All deadlines of one kind run for the same duration.
type due uint8

const (
	duePing      due = iota // a ping is to be sent
	duePong                 // the client has not answered
	dueKeepAlive            // a ping is to be sent although the last answer was not read, being paused
	duePause                // reading was paused for too long
	dueLastPoll             // nobody came to learn that the session is closed
	dueStall                // the client accepts no bytes
	dueAssembly             // a message was begun and not completed
	dueUpgrade              // an upgrade was begun and not completed
	dueLinger               // the client does not close its side
	duePace                 // the client may send again
	dues
)

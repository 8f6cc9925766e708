package socketio

import "time"

// KeptSession is what a Store has of a session, for people who look into its file. The private id is not
// in it.
type KeptSession struct {
	Session
	Until  time.Time // when it ends, if its client was away; zero if the client was there
	Reason Reason    // why the client was away
}

// ParseSession reads the record of a session.
func ParseSession(record []byte) (KeptSession, error) {
	r, err := parseSession(record, nil)
	if err != nil {
		return KeptSession{}, err
	}
	k := KeptSession{Session: Session{SID: r.SID, Namespace: r.Namespace, UserID: r.UserID, Attributes: r.Attributes, State: Open,
		OpenedAt: time.Unix(0, r.OpenedAt), Revision: r.Revision}}
	for _, m := range r.Rooms {
		k.Rooms = append(k.Rooms, m.room)
	}
	if r.Until != 0 {
		k.State, k.Until, k.Reason = Away, time.Unix(0, r.Until), r.Reason
	}
	return k, nil
}

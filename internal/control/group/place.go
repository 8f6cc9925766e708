package group

// place is the seat of one member id in a group. It stays for the grace when the member's
// stream is lost. group.mu guards the fields and is held in all methods.
type place struct {
	// Static after construction.
	id  string
	key uint64

	member *Member // attached; nil: expected back
	lostAt instant // while member is nil
	// lending is set once a lost member has been away for Config.Handover: what it would get
	// goes to others, as far as there are any.
	lending bool
	// gone: it is in no set any more; what is outstanding there may still be settled.
	gone bool

	ready lineList

	// known is set from the beginning of the member's Snapshot: from then on changes are told.
	known        bool
	lost, gained map[string]struct{} // sids still to be told, lost before gained
	changed      map[string]*change  // of sessions that it has, told after both
	// shared is the sessions whose rooms somebody else has changed: see group.changed.
	shared map[string]struct{}
	// doubt is set when the stream was lost with something told that the member may not have
	// got: then it cannot continue.
	doubt bool

	told      []Told // that the member has not heard
	toldBytes int

	banned []string // instance ids that were fenced
}

// lose and gain note what the member is to be told.
func (p *place) lose(sid string) {
	if p == nil || p.gone || !p.known {
		return
	}
	delete(p.gained, sid)
	delete(p.changed, sid)
	delete(p.shared, sid)
	p.lost[sid] = struct{}{}
	p.wake()
}

func (p *place) gain(sid string) {
	if p == nil || p.gone || !p.known {
		return
	}
	p.gained[sid] = struct{}{}
	p.wake()
}

// forgetNotices is for a member that gets a Snapshot instead.
func (p *place) forgetNotices() {
	p.known = false
	p.lost, p.gained = make(map[string]struct{}), make(map[string]struct{})
	p.changed, p.shared = make(map[string]*change), make(map[string]struct{})
}

func (p *place) wake() {
	if p.member != nil {
		p.member.wakeLocked()
	}
}

// set is the places of a group in no order; it is replaced when it changes, never modified.
type set []*place

// home returns the place that a session belongs to and, if that one is lending, the place that
// gets its events meanwhile: both by rendezvous hashing, so that a place that comes or goes
// moves only its own share. Nil means none.
func (s set) home(key uint64) (home, lent *place) {
	var most, mostLent uint64
	for _, p := range s {
		w := mix(key ^ p.key)
		if home == nil || w > most || w == most && p.id < home.id {
			home, most = p, w
		}
		if !p.lending && (lent == nil || w > mostLent || w == mostLent && p.id < lent.id) {
			lent, mostLent = p, w
		}
	}
	if home == nil || !home.lending {
		return home, nil
	}
	return home, lent
}

// target is where the events of a session ought to go now.
func (s set) target(key uint64) *place {
	home, lent := s.home(key)
	if lent != nil {
		return lent
	}
	return home
}

// hash is FNV-1a followed by a mixer. It is part of the contract between edges: all of them
// must send the sessions of one user or the same sid to the same member.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (s set) find(id string) *place {
	for _, p := range s {
		if p.id == id {
			return p
		}
	}
	return nil
}

func (s set) with(p *place) set {
	return append(append(make(set, 0, len(s)+1), s...), p)
}

func (s set) without(p *place) set {
	n := make(set, 0, len(s))
	for _, q := range s {
		if q != p {
			n = append(n, q)
		}
	}
	return n
}

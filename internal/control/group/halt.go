package group

import "encoding/json"

// groupRecord is what a Log keeps of a group.
type groupRecord struct {
	Spec
	Halted bool `json:",omitempty"`
}

func (g *group) recordLocked() []byte {
	b, _ := json.Marshal(groupRecord{g.spec, g.halted}) // plain data
	return b
}

// save keeps what the group wants.
func (g *group) save() {
	if g.all.cfg.Log == nil {
		return
	}
	g.mu.Lock()
	b := g.recordLocked()
	g.mu.Unlock()
	g.all.cfg.Log.SaveGroup(g.name, b)
}

// Halt stops delivering to a group, or goes on. Members stay attached and may settle what they
// have; what comes waits within the bounds of the queue. It outlives the members and, with a Log,
// the process. It returns whether anything changed; the error is ErrUnknown.
func (gs *Groups) Halt(name string, halt bool) (changed bool, err error) {
	gs.mu.Lock() // as for respec: records are saved in the order of what they say
	defer gs.mu.Unlock()
	g := gs.groups[name]
	if g == nil {
		return false, ErrUnknown
	}
	g.mu.Lock()
	changed = g.halted != halt
	g.halted = halt
	if !halt {
		for _, p := range g.places {
			p.wake()
		}
	}
	g.unlock()
	if changed {
		g.save()
	}
	return changed, nil
}

package disk

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
)

// Platter is what is on a disk, as far as it was synced, and what may be.
type Platter struct {
	grain   int64 // what is written whole or not at all
	files   map[int]*surface
	names   map[string]int
	pending []Op // names that are not synced
}

type surface struct {
	data     []byte
	volatile []Op // since the last sync, cut to grains
}

// NewPlatter returns an empty one, or one on which files are.
func NewPlatter(grain int64, start []File) *Platter {
	p := &Platter{grain: grain, files: make(map[int]*surface), names: make(map[string]int)}
	for _, f := range start {
		p.names[f.Name] = f.ID
		p.file(f.ID).data = bytes.Clone(f.Data)
	}
	return p
}

func (p *Platter) file(id int) *surface {
	f := p.files[id]
	if f == nil {
		f = &surface{}
		p.files[id] = f
	}
	return f
}

// Do notes an Op. A sync that failed loses what it should have written, as Linux does: the system
// forgets that it is not.
func (p *Platter) Do(o Op) {
	switch o.Kind {
	case Write:
		f := p.file(o.File)
		data := bytes.Clone(o.Data)
		for len(data) > 0 {
			n := min(int64(len(data)), p.grain-o.Off%p.grain)
			f.volatile = append(f.volatile, Op{Kind: Write, Off: o.Off, Data: data[:n]})
			o.Off += n
			data = data[n:]
		}
	case Truncate:
		f := p.file(o.File)
		f.volatile = append(f.volatile, o)
	case Sync:
		f := p.file(o.File)
		if !o.Failed {
			for _, v := range f.volatile {
				f.apply(v)
			}
		}
		f.volatile = nil
	case Name:
		p.pending = append(p.pending, o)
	case SyncDir:
		if !o.Failed {
			for _, n := range p.pending {
				p.name(n)
			}
			p.pending = nil
		}
	}
}

// Cut is a power cut: what was synced is there, and a random part of the rest. lost is how much of
// the rest is lost: 1 is everything. The Platter must not be used any more.
func (p *Platter) Cut(lost float64, r *rand.Rand) []File {
	for _, id := range sorted(p.files) {
		f := p.files[id]
		for _, o := range f.volatile {
			if r.Float64() >= lost {
				f.apply(o)
			}
		}
	}
	// A file system's journal keeps the order of names.
	for _, o := range p.pending {
		if r.Float64() < lost {
			break
		}
		p.name(o)
	}
	var left []File
	for _, name := range sorted(p.names) {
		id := p.names[name]
		left = append(left, File{Name: name, ID: id, Data: p.file(id).data})
	}
	return left
}

func (p *Platter) name(o Op) {
	if o.Old != "" {
		delete(p.names, o.Old)
	}
	if o.Name != "" {
		p.names[o.Name] = o.File
	}
}

func (f *surface) apply(o Op) {
	size := o.Off + int64(len(o.Data))
	if grow := size - int64(len(f.data)); grow > 0 {
		f.data = append(f.data, make([]byte, grow)...)
	}
	if o.Kind == Truncate {
		f.data = f.data[:size]
	}
	copy(f.data[o.Off:], o.Data)
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

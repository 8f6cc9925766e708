package sio

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// This file says once more what a packet is, without regard to speed: by a regular expression and
// encoding/json. The fuzz targets compare.

// naivePacket is a Packet with its JSON in pieces.
type naivePacket struct {
	typ         Type
	namespace   string
	id          uint64
	hasID       bool
	name        string
	numericName bool
	args        []json.RawMessage // of an Event or Ack
	auth        json.RawMessage
	attachments int
}

var naiveHeader = regexp.MustCompile(`(?s)^([0-6])(?:([0-9]+)-)?(?:(/[^,]*)(?:,|$))?(.*)$`)
var naiveID = regexp.MustCompile(`(?s)^([0-9]+)(.*)$`)

// naiveParse returns false if text is no packet within l.
func naiveParse(text string, l Limits) (p naivePacket, ok bool) {
	m := naiveHeader.FindStringSubmatch(text)
	if m == nil {
		return p, false
	}
	p.typ = Type(m[1][0] - '0')
	binary := p.typ == BinaryEvent || p.typ == BinaryAck
	count, rest := m[2], m[4]
	if binary != (count != "") {
		return p, false
	}
	if binary {
		n, err := strconv.Atoi(count)
		if err != nil || n > l.Attachments {
			return p, false
		}
		p.typ, p.attachments = p.typ-3, n
	}
	if len(m[3]) > l.Namespace {
		return p, false
	}
	if m[3] != "/" {
		p.namespace = m[3]
	}
	if p.typ == Event || p.typ == Ack {
		if m := naiveID.FindStringSubmatch(rest); m != nil {
			id, err := strconv.ParseUint(m[1], 10, 64)
			if err != nil || id > 1<<53-1 || len(m[1]) > 16 {
				return p, false
			}
			p.id, p.hasID, rest = id, true, m[2]
		}
	}
	switch {
	case p.typ == ConnectError:
		return p, false
	case p.typ == Disconnect:
		return p, rest == ""
	case rest == "":
		return p, p.typ == Connect || p.typ == Ack && !p.hasID && p.attachments == 0
	case rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\r' || rest[0] == '\n':
		return p, false
	case !json.Valid([]byte(rest)) || naiveDepth(rest) > l.Depth:
		return p, false
	case p.typ == Connect:
		p.auth = json.RawMessage(strings.TrimRight(rest, " \t\r\n"))
		return p, len(rest) <= l.Auth && naiveObject(rest)
	}
	if json.Unmarshal([]byte(rest), &p.args) != nil || rest[0] != '[' {
		return p, false
	}
	if binary && !naivePlaceholders(rest, p.attachments) {
		return p, false
	}
	if p.typ == Event {
		if len(p.args) == 0 {
			return p, false
		}
		name := p.args[0]
		p.args = p.args[1:]
		var number json.Number
		switch {
		case json.Unmarshal(name, &p.name) == nil && name[0] == '"':
		case json.Unmarshal(name, &number) == nil && name[0] != 'n':
			p.name, p.numericName = string(name), true
		default:
			return p, false
		}
		if len(p.name) > l.Name || Reserved(p.name) {
			return p, false
		}
	}
	return p, len(p.args) <= l.Args
}

// naiveDepth counts how many arrays and objects are inside each other in a document.
func naiveDepth(doc string) (deepest int) {
	depth, quoted := 0, false
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
			deepest = max(deepest, depth)
		case c == ']' || c == '}':
			depth--
		}
	}
	return deepest
}

type naiveMember struct {
	key   string
	value json.RawMessage
}

// naiveMembers returns the members of an object in their order, duplicates and all.
func naiveMembers(doc string) (members []naiveMember) {
	d := json.NewDecoder(strings.NewReader(doc))
	d.Token()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			panic(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			panic(err)
		}
		members = append(members, naiveMember{key.(string), value})
	}
	return members
}

// naiveObject reports whether a document is an object whose keys are all different.
func naiveObject(doc string) bool {
	if strings.TrimLeft(doc, " \t\r\n")[0] != '{' {
		return false
	}
	seen := map[string]bool{}
	for _, m := range naiveMembers(doc) {
		if seen[m.key] {
			return false
		}
		seen[m.key] = true
	}
	return true
}

// naivePlaceholders reports whether the placeholders in a document refer to all of n attachments
// and to nothing else.
func naivePlaceholders(doc string, n int) bool {
	seen := map[string]bool{}
	var walk func(doc string) bool
	walk = func(doc string) bool {
		switch doc = strings.TrimLeft(doc, " \t\r\n"); doc[0] {
		case '[':
			var elements []json.RawMessage
			json.Unmarshal([]byte(doc), &elements)
			for _, e := range elements {
				if !walk(string(e)) {
					return false
				}
			}
		case '{':
			members := naiveMembers(doc)
			if slices.ContainsFunc(members, func(m naiveMember) bool { return m.key == "_placeholder" }) {
				slices.SortFunc(members, func(a, b naiveMember) int { return strings.Compare(a.key, b.key) })
				if len(members) != 2 || members[1].key != "num" || string(members[0].value) != "true" {
					return false
				}
				num := string(members[1].value)
				i, err := strconv.Atoi(num)
				seen[num] = true
				return err == nil && 0 <= i && i < n && num[0] != '-'
			}
			for _, m := range members {
				if !walk(string(m.value)) {
					return false
				}
			}
		}
		return true
	}
	return walk(doc) && len(seen) == n
}

// sameElements reports whether the array doc has these elements, byte for byte.
func sameElements(doc []byte, want []json.RawMessage) bool {
	var got []json.RawMessage
	if json.Unmarshal(doc, &got) != nil {
		return false
	}
	return slices.EqualFunc(got, want, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
}

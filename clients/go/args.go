package sioedge

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// Args is the arguments of an event or an acknowledgement as the client sent them: nothing is
// decoded, so numbers, key order and escapes are its own. Passed to Emit, or returned from a
// handler, it stands for all of its arguments.
type Args struct {
	// JSON is an array. A binary argument stands as {"_placeholder":true,"num":N}, N being its
	// index in Attachments. Empty means [].
	JSON json.RawMessage
	// Attachments is the binary arguments.
	Attachments [][]byte
}

func newArgs(p *pb.Payload) Args {
	return Args{JSON: p.GetJson(), Attachments: p.GetAttachments()}
}

// Len is how many arguments there are.
func (a Args) Len() int {
	n := 0
	for rest := (elements{a.JSON, 0}); ; n++ {
		if _, ok := rest.next(); !ok {
			return n
		}
	}
}

// Slice returns the arguments from index from up to index to, as far as there are any, with the
// attachments that they need.
func (a Args) Slice(from, to int) Args {
	var out Args
	text := []byte{'['}
	rest := elements{a.JSON, 0}
	for i := range to {
		raw, ok := rest.next()
		if !ok {
			break
		}
		if i < from {
			continue
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		if len(a.Attachments) > 0 {
			raw = replacePlaceholders(raw, func(dst []byte, num int) []byte {
				if num >= len(a.Attachments) {
					return append(dst, "null"...)
				}
				out.Attachments = append(out.Attachments, a.Attachments[num])
				return appendPlaceholder(dst, len(out.Attachments)-1)
			})
		}
		text = append(text, raw...)
	}
	out.JSON = append(text, ']')
	return out
}

// Bind decodes the arguments into what the pointers point to, one each. Missing arguments leave
// their target alone, surplus ones are ignored.
func (a Args) Bind(targets ...any) error {
	rest := elements{a.JSON, 0}
	for i, target := range targets {
		raw, ok := rest.next()
		if !ok {
			return rest.err()
		}
		v := reflect.ValueOf(target)
		if v.Kind() != reflect.Pointer || v.IsNil() {
			return fmt.Errorf("bind argument %d: %T is no pointer", i+1, target)
		}
		if err := a.decode(raw, v); err != nil {
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	return nil
}

// decode decodes one argument into what ptr points to.
func (a Args) decode(raw []byte, ptr reflect.Value) error {
	switch p := ptr.Interface().(type) {
	case *json.RawMessage:
		*p = raw
		return nil
	case *[]byte:
		if num, end, ok := placeholder(raw, 0); ok && end == len(raw) && num < len(a.Attachments) {
			*p = a.Attachments[num]
			return nil
		}
	}
	if len(a.Attachments) == 0 {
		return json.Unmarshal(raw, ptr.Interface())
	}
	return decodeBinary(raw, a.Attachments, ptr)
}

// elements walks over the elements of a JSON array that is known to be well-formed.
type elements struct {
	array []byte
	at    int // of the byte before the next element: '[' or ','; past the end when done
}

var errNoArray = errors.New("the arguments are no JSON array")

// next returns the next element without the blanks around it.
func (e *elements) next() ([]byte, bool) {
	b := e.array
	start := skipBlanks(b, e.at)
	if start >= len(b) || b[start] != '[' && b[start] != ',' {
		return nil, false
	}
	start = skipBlanks(b, start+1)
	if start < len(b) && b[start] == ']' {
		e.at = start
		return nil, false
	}
	depth, end := 0, start
	for i := start; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = skipString(b, i) - 1
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth < 0 {
				e.at = i
				return b[start:end], true
			}
		case ',':
			if depth == 0 {
				e.at = i
				return b[start:end], true
			}
		case ' ', '\t', '\r', '\n':
			continue
		}
		end = i + 1
	}
	e.at = len(b)
	return nil, false
}

// err says whether next ended at the end of an array.
func (e *elements) err() error {
	if len(e.array) == 0 || e.at < len(e.array) && e.array[e.at] == ']' {
		return nil
	}
	return errNoArray
}

func skipBlanks(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// skipString returns the index after the string that begins at i.
func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

package sioedge

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	pb "github.com/sio-edge/sio-edge/proto/sioedge/v1"
)

// encodeArgs renders arguments as JSON and attachments.
func encodeArgs(args []any) (*pb.Payload, error) {
	if len(args) == 1 {
		if a, ok := args[0].(Args); ok { // forwarded: no byte is touched
			return &pb.Payload{Json: a.JSON, Attachments: a.Attachments}, nil
		}
	}
	e := encoder{json: append(make([]byte, 0, 64), '[')}
	for i, arg := range args {
		if err := e.add(arg); err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	return &pb.Payload{Json: append(e.json, ']'), Attachments: e.attachments}, nil
}

// encoder collects arguments.
type encoder struct {
	json        []byte // "[1,2": without the end
	attachments [][]byte
}

func (e *encoder) add(arg any) error {
	if a, ok := arg.(Args); ok {
		return e.spread(a)
	}
	if len(e.json) > 1 {
		e.json = append(e.json, ',')
	}
	switch v := arg.(type) {
	case nil:
		e.json = append(e.json, "null"...)
	case bool:
		e.json = strconv.AppendBool(e.json, v)
	case int:
		e.json = strconv.AppendInt(e.json, int64(v), 10)
	case int64:
		e.json = strconv.AppendInt(e.json, v, 10)
	case []byte:
		e.attach(v)
	case json.RawMessage:
		if !json.Valid(v) {
			return errors.New("json.RawMessage holds no JSON")
		}
		e.json = append(e.json, v...)
	default:
		return e.marshal(reflect.ValueOf(arg))
	}
	return nil
}

func (e *encoder) attach(b []byte) {
	if b == nil {
		e.json = append(e.json, "null"...)
		return
	}
	e.json = appendPlaceholder(e.json, len(e.attachments))
	e.attachments = append(e.attachments, b)
}

// spread adds all arguments of a; its placeholders move behind those that are there.
func (e *encoder) spread(a Args) error {
	first := len(e.attachments)
	rest := elements{a.JSON, 0}
	for raw, ok := rest.next(); ok; raw, ok = rest.next() {
		if len(e.json) > 1 {
			e.json = append(e.json, ',')
		}
		if first > 0 && len(a.Attachments) > 0 {
			raw = replacePlaceholders(raw, func(dst []byte, num int) []byte { return appendPlaceholder(dst, first+num) })
		}
		e.json = append(e.json, raw...)
	}
	e.attachments = append(e.attachments, a.Attachments...)
	return rest.err()
}

// marshal adds a value of any type.
func (e *encoder) marshal(v reflect.Value) error {
	if !holdsBytes(v.Type()) {
		return e.marshalPlain(v.Interface())
	}
	t := newTokens()
	sub := substituter{tokens: &t}
	masked := sub.masked(v)
	if len(sub.found) == 0 {
		return e.marshalPlain(v.Interface())
	}
	start := len(e.json)
	if err := e.marshalPlain(masked.Interface()); err != nil {
		return err
	}
	text := bytes.Clone(e.json[start:])
	e.json = e.json[:start]
	for i := 0; i < len(text); {
		if text[i] != '"' {
			e.json = append(e.json, text[i])
			i++
			continue
		}
		end := skipString(text, i)
		if num, ok := t.numberOf(string(text[i+1 : end-1])); ok {
			e.attach(sub.found[num])
		} else {
			e.json = append(e.json, text[i:end]...)
		}
		i = end
	}
	return nil
}

// marshalPlain is json.Marshal, but writes <, > and & as they are.
func (e *encoder) marshalPlain(v any) error {
	buf := bytes.NewBuffer(e.json)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	e.json = bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	return nil
}

// substituter copies values with tokens in the place of byte slices.
type substituter struct {
	tokens *tokens
	found  [][]byte
	depth  int
}

// maxDepth ends the walk through values that contain themselves; encoding/json refuses them.
const maxDepth = 1000

// masked returns v, or a copy of it if it holds byte slices. What it points to is copied as well:
// the caller's values are never changed.
func (s *substituter) masked(v reflect.Value) reflect.Value {
	if s.depth > maxDepth || !holdsBytes(v.Type()) {
		return v
	}
	s.depth++
	defer func() { s.depth-- }()
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			c.Set(reflect.New(v.Type().Elem()))
			c.Elem().Set(s.masked(v.Elem()))
		}
	case reflect.Interface:
		if !v.IsNil() {
			c.Set(s.masked(v.Elem()))
		}
	case reflect.Struct:
		s.maskFields(c, v)
	case reflect.Array:
		for i := range v.Len() {
			c.Index(i).Set(s.masked(v.Index(i)))
		}
	case reflect.Slice:
		switch {
		case v.IsNil():
		case isBytes(v.Type()):
			s.found = append(s.found, v.Bytes())
			c.SetBytes(s.tokens.make(len(s.found) - 1))
		default:
			c.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				c.Index(i).Set(s.masked(v.Index(i)))
			}
		}
	case reflect.Map:
		if !v.IsNil() {
			c.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
			for iter := v.MapRange(); iter.Next(); {
				c.SetMapIndex(iter.Key(), s.masked(iter.Value()))
			}
		}
	}
	return c
}

// maskFields masks the fields of c, which is a copy of the struct v.
func (s *substituter) maskFields(c, v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		_, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case promoted(field):
			s.maskFields(c.Field(i), v.Field(i))
		case !c.Field(i).CanSet(), strings.Contains(options, "omitempty") && isBytes(field.Type) && v.Field(i).Len() == 0:
		default:
			c.Field(i).Set(s.masked(v.Field(i)))
		}
	}
}

// promoted says that the field is an embedded struct of an unexported type: it cannot be set, its
// fields can.
func promoted(f reflect.StructField) bool {
	return f.Anonymous && !f.IsExported() && f.Type.Kind() == reflect.Struct
}

var (
	rawMessageType  = reflect.TypeFor[json.RawMessage]()
	marshalerType   = reflect.TypeFor[json.Marshaler]()
	textMarshalType = reflect.TypeFor[encoding.TextMarshaler]()

	// bytesInside remembers holdsBytes, as encoding/json remembers its encoders.
	bytesInside sync.Map // reflect.Type to bool
)

// isBytes says whether encoding/json would write the slice type as base64.
func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && !marshals(t) && !marshals(t.Elem())
}

// marshals says whether the type writes its own JSON, which is none of our business.
func marshals(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(marshalerType) || p.Implements(textMarshalType)
}

// holdsBytes says whether values of the type can hold byte slices that become attachments.
func holdsBytes(t reflect.Type) bool {
	if held, ok := bytesInside.Load(t); ok {
		return held.(bool)
	}
	held := searchBytes(t, make(map[reflect.Type]bool))
	bytesInside.Store(t, held)
	return held
}

func searchBytes(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] || t.Kind() != reflect.Interface && marshals(t) {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Slice:
		return isBytes(t) || searchBytes(t.Elem(), seen)
	case reflect.Pointer, reflect.Array, reflect.Map:
		return searchBytes(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); (f.IsExported() || promoted(f)) && f.Tag.Get("json") != "-" && searchBytes(f.Type, seen) {
				return true
			}
		}
	}
	return false
}

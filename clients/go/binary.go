package sioedge

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"reflect"
	"strconv"
)

// encoding/json knows byte slices as base64 strings, Socket.IO as placeholders for attachments.
// The two meet in tokens: short byte slices that nobody else can write, and that stand for an
// attachment while encoding/json is at work.
type tokens struct {
	secret [16]byte
}

const tokenSize = 20

func newTokens() tokens {
	var t tokens
	rand.Read(t.secret[:])
	return t
}

// make returns the token of attachment num.
func (t *tokens) make(num int) []byte {
	return binary.BigEndian.AppendUint32(t.secret[:len(t.secret):len(t.secret)], uint32(num))
}

// number returns the attachment for which b stands.
func (t *tokens) number(b []byte) (int, bool) {
	if len(b) != tokenSize || !bytes.Equal(b[:16], t.secret[:]) {
		return 0, false
	}
	return int(binary.BigEndian.Uint32(b[16:])), true
}

// literal returns the JSON string as which encoding/json writes the token.
func (t *tokens) literal(num int) string {
	return `"` + base64.StdEncoding.EncodeToString(t.make(num)) + `"`
}

// numberOf is number for the base64 form.
func (t *tokens) numberOf(s string) (int, bool) {
	if len(s) != base64.StdEncoding.EncodedLen(tokenSize) {
		return 0, false
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return 0, false
	}
	return t.number(b)
}

// decodeBinary decodes raw into what ptr points to and puts attachments where placeholders were:
// into byte slices and into interface values.
func decodeBinary(raw []byte, attachments [][]byte, ptr reflect.Value) error {
	t := newTokens()
	r := restorer{tokens: &t, attachments: attachments}
	raw = replacePlaceholders(raw, func(dst []byte, num int) []byte {
		if num >= len(attachments) {
			return append(dst, "null"...)
		}
		return append(dst, t.literal(num)...)
	})
	if err := json.Unmarshal(raw, ptr.Interface()); err != nil {
		return err
	}
	r.restore(ptr.Elem())
	return nil
}

// restorer puts attachments in the place of tokens.
type restorer struct {
	tokens      *tokens
	attachments [][]byte
}

func (r *restorer) restore(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			r.restore(v.Elem())
		}
	case reflect.Interface:
		if !v.IsNil() && v.CanSet() {
			v.Set(r.restored(v.Elem()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() || promoted(v.Type().Field(i)) {
				r.restore(f)
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			r.restore(v.Index(i))
		}
	case reflect.Slice:
		switch {
		case v.Type() == rawMessageType:
			v.SetBytes(r.placeholders(v.Bytes()))
		case isBytes(v.Type()):
			if num, ok := r.tokens.number(v.Bytes()); ok {
				v.SetBytes(r.attachments[num])
			}
		case !plain(v.Type().Elem()):
			for i := range v.Len() {
				r.restore(v.Index(i))
			}
		}
	case reflect.Map:
		if plain(v.Type().Elem()) {
			return
		}
		for iter := v.MapRange(); iter.Next(); {
			v.SetMapIndex(iter.Key(), r.restored(iter.Value()))
		}
	}
}

// plain says that values of the type hold nothing but themselves.
func plain(t reflect.Type) bool {
	return t.Kind() <= reflect.Complex128 || t.Kind() == reflect.String
}

// restored is restore for a value that cannot be changed in place.
func (r *restorer) restored(v reflect.Value) reflect.Value {
	if v.Kind() == reflect.Interface && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() == reflect.String {
		if num, ok := r.tokens.numberOf(v.String()); ok {
			return reflect.ValueOf(r.attachments[num])
		}
		return v
	}
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	r.restore(c)
	return c
}

// placeholders undoes the tokens in JSON that stays raw.
func (r *restorer) placeholders(raw []byte) []byte {
	for num := range r.attachments {
		raw = bytes.ReplaceAll(raw, []byte(r.tokens.literal(num)), appendPlaceholder(nil, num))
	}
	return raw
}

func appendPlaceholder(dst []byte, num int) []byte {
	dst = append(dst, `{"_placeholder":true,"num":`...)
	dst = strconv.AppendInt(dst, int64(num), 10)
	return append(dst, '}')
}

// replacePlaceholders returns raw with what put appends in the place of each placeholder.
func replacePlaceholders(raw []byte, put func(dst []byte, num int) []byte) []byte {
	dst := make([]byte, 0, len(raw)+64)
	from := 0
	for i := 0; i < len(raw); {
		switch raw[i] {
		case '"':
			i = skipString(raw, i)
			continue
		case '{':
			if num, end, ok := placeholder(raw, i); ok {
				dst = put(append(dst, raw[from:i]...), num)
				from, i = end, end
				continue
			}
		}
		i++
	}
	return append(dst, raw[from:]...)
}

// placeholder parses the placeholder that begins at i: its number and the index after it.
func placeholder(b []byte, i int) (num, end int, ok bool) {
	if i >= len(b) || b[i] != '{' {
		return 0, 0, false
	}
	var marked, numbered bool
	for sep := byte('{'); sep != '}'; {
		i = skipBlanks(b, i+1)
		if i >= len(b) || b[i] != '"' {
			return 0, 0, false
		}
		key := i
		i = skipString(b, i)
		name := string(b[key:i])
		if i = skipBlanks(b, i); i >= len(b) || b[i] != ':' {
			return 0, 0, false
		}
		value := skipBlanks(b, i+1)
		for i = value; i < len(b) && b[i] != ',' && b[i] != '}' && b[i] > ' '; i++ {
		}
		switch name {
		case `"_placeholder"`:
			marked = string(b[value:i]) == "true"
		case `"num"`:
			n, err := strconv.ParseUint(string(b[value:i]), 10, 31)
			num, numbered = int(n), err == nil
		default:
			return 0, 0, false
		}
		if i = skipBlanks(b, i); i >= len(b) {
			return 0, 0, false
		}
		if sep = b[i]; sep != ',' && sep != '}' {
			return 0, 0, false
		}
	}
	return num, i + 1, marked && numbered
}

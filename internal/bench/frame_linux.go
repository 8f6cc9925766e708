package bench

import (
	"bufio"
	"encoding/binary"
	"io"
)

// Opcodes of WebSocket frames.
const (
	opText   = 1
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

// mask is that of every frame we send. A server unmasks whatever it is.
var mask = [4]byte{0x5a, 0xc3, 0x1f, 0x96}

func appendFrame(dst []byte, op byte, payload []byte) []byte {
	dst = append(dst, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	dst = append(dst, mask[:]...)
	from := len(dst)
	dst = append(dst, payload...)
	masked := dst[from:]
	wide := uint64(binary.LittleEndian.Uint32(mask[:]))
	wide |= wide << 32
	for ; len(masked) >= 8; masked = masked[8:] {
		binary.LittleEndian.PutUint64(masked, binary.LittleEndian.Uint64(masked)^wide)
	}
	for i := range masked {
		masked[i] ^= mask[i&3]
	}
	return dst
}

// parseFrame returns the first frame of b, or n == 0 if it is not complete.
func parseFrame(b []byte) (op byte, payload []byte, n int) {
	if len(b) < 2 {
		return 0, nil, 0
	}
	size, head := int(b[1]&0x7f), 2
	switch size {
	case 126:
		if len(b) < 4 {
			return 0, nil, 0
		}
		size, head = int(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		if len(b) < 10 {
			return 0, nil, 0
		}
		size, head = int(binary.BigEndian.Uint64(b[2:])), 10
	}
	if len(b) < head+size {
		return 0, nil, 0
	}
	return b[0] & 0xf, b[head : head+size], head + size
}

// readFrame waits for a frame of less than 64 KB.
func readFrame(r *bufio.Reader) (string, error) {
	var h [4]byte
	if _, err := io.ReadFull(r, h[:2]); err != nil {
		return "", err
	}
	n := int(h[1])
	if n == 126 {
		if _, err := io.ReadFull(r, h[2:]); err != nil {
			return "", err
		}
		n = int(binary.BigEndian.Uint16(h[2:]))
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return string(b), err
}

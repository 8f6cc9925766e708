package edge

// Bounds of a chunked body, beyond those that the reader of the body has.
const (
	maxChunkLine = 128     // one size line with its extensions
	maxTrailers  = 2 << 10 // all trailer fields
	maxChunk     = 1 << 32
)

// body finds the end of a request body, so that the head behind it can be found. It accepts
// strict framing only: any other reader of the same bytes then finds the same end.
type body struct {
	left    int64 // data bytes to come: of the body, or of the current chunk
	chunked bool
	state   chunkState
	line    int // length of the current line
	size    int // of all trailers
}

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkExtension
	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	trailerStart
	trailer
	trailerLF
	lastLF
	chunkEnd
)

func newBody(h *head) body {
	return body{left: h.length, chunked: h.chunked}
}

// done reports whether all of the body was taken.
func (b *body) done() bool {
	if b.chunked {
		return b.state == chunkEnd
	}
	return b.left == 0
}

// take returns how many of the first bytes of p belong to the body.
func (b *body) take(p []byte) (int, *fault) {
	if !b.chunked {
		n := int(min(int64(len(p)), b.left))
		b.left -= int64(n)
		return n, nil
	}
	for i := 0; i < len(p); {
		if b.state == chunkEnd {
			return i, nil
		}
		if b.state == chunkData {
			n := min(int64(len(p)-i), b.left)
			b.left -= n
			i += int(n)
			if b.left == 0 {
				b.state = chunkDataCR
			}
			continue
		}
		if f := b.step(p[i]); f != nil {
			return i, f
		}
		i++
	}
	return len(p), nil
}

// step takes one byte that is no chunk data.
func (b *body) step(c byte) *fault {
	switch b.state {
	case chunkSize:
		digit, ok := hexDigit(c)
		switch {
		case ok && b.left < maxChunk>>4 && b.line < 16:
			b.left = b.left<<4 | int64(digit)
			b.line++
			return nil
		case ok || b.line == 0:
			return faultChunk
		case c == '\r':
			b.state = chunkSizeLF
			return nil
		case c == ';':
			b.state = chunkExtension
			return nil
		}
		return faultChunk
	case chunkExtension:
		b.line++
		switch {
		case c == '\r':
			b.state = chunkSizeLF
		case c < ' ' && c != '\t' || c == 0x7f || b.line > maxChunkLine:
			return faultChunk
		}
		return nil
	case trailerStart:
		switch {
		case c == '\r':
			b.state = lastLF
			return nil
		case !tokenByte[c]:
			return faultChunk
		}
		b.state = trailer
		fallthrough
	case trailer:
		b.size++
		switch {
		case c == '\r':
			b.state = trailerLF
		case c < ' ' && c != '\t' || c == 0x7f || b.size > maxTrailers:
			return faultChunk
		}
		return nil
	case chunkDataCR:
		if c != '\r' {
			return faultChunk
		}
		b.state = chunkDataLF
		return nil
	}

	// What is left awaits the end of a line.
	if c != '\n' {
		return faultChunk
	}
	b.line = 0
	switch {
	case b.state == lastLF:
		b.state = chunkEnd
	case b.state == trailerLF:
		b.state = trailerStart
	case b.state == chunkDataLF:
		b.state = chunkSize
	case b.left == 0: // the last chunk
		b.state = trailerStart
	default:
		b.state = chunkData
	}
	return nil
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

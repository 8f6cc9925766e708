package edge

import (
	"bytes"
	"net/http"
	"strings"
)

// maxMethod bounds the method of a request, in bytes.
const maxMethod = 32

// fault is why a request is refused before any handler sees it. There is a closed set of them,
// so that they can be counted.
type fault struct {
	status int
	reason string
}

func (f *fault) Error() string { return f.reason }

var (
	faultRequestLine = &fault{http.StatusBadRequest, "malformed request line"}
	faultMethod      = &fault{http.StatusBadRequest, "method not allowed here"}
	faultTarget      = &fault{http.StatusBadRequest, "request target is not a path"}
	faultLongTarget  = &fault{http.StatusRequestURITooLong, "request target too long"}
	faultVersion     = &fault{http.StatusHTTPVersionNotSupported, "HTTP version not supported"}
	faultLineEnd     = &fault{http.StatusBadRequest, "line does not end in CR LF"}
	faultFold        = &fault{http.StatusBadRequest, "folded header field"}
	faultField       = &fault{http.StatusBadRequest, "malformed header field"}
	faultFields      = &fault{http.StatusRequestHeaderFieldsTooLarge, "too many header fields"}
	faultHeadSize    = &fault{http.StatusRequestHeaderFieldsTooLarge, "request head too large"}
	faultHost        = &fault{http.StatusBadRequest, "exactly one valid Host is required"}
	faultLength      = &fault{http.StatusBadRequest, "malformed Content-Length"}
	faultCoding      = &fault{http.StatusBadRequest, "Transfer-Encoding is not chunked"}
	faultFraming     = &fault{http.StatusBadRequest, "Content-Length together with Transfer-Encoding"}
	faultContent     = &fault{http.StatusUnsupportedMediaType, "Content-Encoding not supported"}
	faultHops        = &fault{http.StatusBadRequest, "too many forwarding hops"}
	faultChunk       = &fault{http.StatusBadRequest, "malformed chunk"}
)

// headLimits bounds a request head.
type headLimits struct {
	bytes  int // request line and fields
	fields int // field lines
	target int // the request target, in bytes
}

// head checks one request head in the bytes as they came from the network. net/http repairs what
// it can before a handler sees it, and two parsers that repair differently are how requests are
// smuggled past a proxy: so what needs repair is refused here.
//
// The zero value awaits the first byte of a head. A plain head costs one pass and no allocation.
type head struct {
	line   int // where the current line begins
	seen   int // up to where line ends were looked for
	fields int
	ready  bool // the request line is behind us

	oldVersion  bool // HTTP/1.0
	host        bool
	length      int64 // Content-Length
	hasLength   bool
	chunked     bool
	upgrade     bool
	underscored bool // some field name has an underscore
}

// scan looks at b, everything received since the head began: the bytes of the previous call and
// what came since. It returns the length of the head, 0 while its end is still to come.
func (h *head) scan(b []byte, limits *headLimits) (int, *fault) {
	if len(b) > 0 && !h.ready && !tokenByte[b[0]] {
		return 0, faultRequestLine // such as a TLS hello: the end of line may never come
	}
	for {
		i := bytes.IndexByte(b[h.seen:], '\n')
		if i < 0 {
			h.seen = len(b)
			switch {
			case !h.ready && len(b) > maxMethod+limits.target+len("  HTTP/1.1\r"):
				return 0, faultLongTarget
			case len(b) > limits.bytes:
				return 0, faultHeadSize
			}
			return 0, nil
		}
		end := h.seen + i
		if b[end-1] != '\r' { // there is a byte: a head does not begin with a line end
			return 0, faultLineEnd
		}
		line := b[h.line : end-1]
		h.line, h.seen = end+1, end+1
		var f *fault
		switch {
		case !h.ready:
			f = h.requestLine(line, limits.target)
			h.ready = true
		case end+1 > limits.bytes:
			f = faultHeadSize
		case len(line) == 0:
			return end + 1, h.finish()
		default:
			if h.fields++; h.fields > limits.fields {
				f = faultFields
			} else {
				f = h.field(line)
			}
		}
		if f != nil {
			return 0, f
		}
	}
}

func (h *head) requestLine(line []byte, longest int) *fault {
	method, rest, ok := bytes.Cut(line, space)
	if !ok || len(method) == 0 {
		return faultRequestLine
	}
	target, version, ok := bytes.Cut(rest, space)
	if !ok || bytes.IndexByte(version, ' ') >= 0 {
		return faultRequestLine // among them HTTP/0.9
	}
	if len(method) > maxMethod || !isToken(method) {
		return faultMethod
	}
	switch string(method) {
	case "TRACE", "CONNECT", "PRI", methodRefused:
		return faultMethod
	}
	if len(target) > longest {
		return faultLongTarget
	}
	if len(target) == 0 || target[0] != '/' {
		return faultTarget
	}
	for _, c := range target {
		if c <= ' ' || c >= 0x7f {
			return faultTarget
		}
	}
	switch string(version) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		h.oldVersion = true
	default:
		if bytes.HasPrefix(version, []byte("HTTP/")) {
			return faultVersion
		}
		return faultRequestLine
	}
	return nil
}

func (h *head) field(line []byte) *fault {
	if line[0] == ' ' || line[0] == '\t' {
		return faultFold
	}
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || !isToken(line[:colon]) {
		return faultField // a space before the colon is no token either
	}
	name, value := line[:colon], bytes.Trim(line[colon+1:], " \t")
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return faultField
		}
	}
	switch len(name) {
	case len("Host"):
		if isName(name, "Host") {
			if h.host || !validHost(value) {
				return faultHost
			}
			h.host = true
		}
	case len("Upgrade"):
		h.upgrade = h.upgrade || isName(name, "Upgrade")
	case len("Connection"):
		// A connection kept alive by HTTP/1.0 is framed by guesses.
		if h.oldVersion && isName(name, "Connection") && isName(value, "keep-alive") {
			return faultVersion
		}
	case len("Content-Length"):
		if isName(name, "Content-Length") {
			return h.contentLength(value)
		}
	case len("Content-Encoding"):
		if isName(name, "Content-Encoding") && !isName(value, "identity") {
			return faultContent
		}
	case len("Transfer-Encoding"):
		if isName(name, "Transfer-Encoding") {
			if h.chunked || h.oldVersion || !isName(value, "chunked") {
				return faultCoding
			}
			h.chunked = true
		}
	}
	if bytes.IndexByte(name, '_') >= 0 {
		h.underscored = true
	}
	return nil
}

func (h *head) contentLength(value []byte) *fault {
	if h.hasLength || len(value) == 0 || len(value) > 18 {
		return faultLength
	}
	h.hasLength = true
	for _, c := range value {
		if c < '0' || c > '9' {
			return faultLength
		}
		h.length = h.length*10 + int64(c-'0')
	}
	return nil
}

func (h *head) finish() *fault {
	switch {
	case !h.host && !h.oldVersion:
		return faultHost
	case h.hasLength && h.chunked:
		return faultFraming
	}
	return nil
}

// dropUnderscored removes the fields whose name has an underscore from a checked head, in place,
// and returns what is left of it: behind a CGI-like layer X_Forwarded_For is X-Forwarded-For.
func dropUnderscored(b []byte) []byte {
	out := b[:0]
	for first := true; len(b) > 0; first = false {
		end := bytes.IndexByte(b, '\n') + 1
		colon := bytes.IndexByte(b[:end], ':')
		if first || colon < 0 || bytes.IndexByte(b[:colon], '_') < 0 {
			out = append(out, b[:end]...)
		}
		b = b[end:]
	}
	return out
}

var space = []byte{' '}

// isName compares without regard to case.
func isName(b []byte, name string) bool {
	return len(b) == len(name) && strings.EqualFold(string(b), name)
}

func isToken(b []byte) bool {
	for _, c := range b {
		if !tokenByte[c] {
			return false
		}
	}
	return true
}

func validHost(b []byte) bool {
	for _, c := range b {
		if !hostByte[c] {
			return false
		}
	}
	return len(b) > 0
}

// tokenByte and hostByte are RFC 9110's token and the characters of RFC 3986's host and port.
var tokenByte, hostByte = byteSet("!#$%&'*+-.^_`|~"), byteSet("-._~%!$&'()*+,;=:[]")

func byteSet(others string) (set [256]bool) {
	for c := '0'; c <= '9'; c++ {
		set[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		set[c], set[c-'a'+'A'] = true, true
	}
	for i := range len(others) {
		set[others[i]] = true
	}
	return set
}

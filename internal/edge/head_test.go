package edge

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// usual are the limits of a head by default.
var usual = Config{}.withDefaults().headLimits()

// The ids are those of the corpus of hostile input in the reliability reference.
var heads = []struct {
	id, name, head string
	want           *fault
}{
	{"-", "poll", "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a.example:3000\r\nAccept: */*\r\n\r\n", nil},
	{"-", "post", "POST / HTTP/1.1\r\nhost: [::1]:80\r\ncontent-length: 5\r\n\r\n", nil},
	{"-", "chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", nil},
	{"-", "values", "GET / HTTP/1.1\r\nHost:a\r\nEmpty:\r\nTab:\ta\tb \r\nText: \xc3\xa9\r\n\r\n", nil},
	{"-", "raw query", "GET /?q={\"a\":[1]} HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"-", "identity", "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: identity\r\n\r\n", nil},
	{"-", "old", "GET / HTTP/1.0\r\n\r\n", nil},

	{"C4", "PROXY v1", "PROXY TCP4 192.0.2.1 192.0.2.2 5 80\r\n", faultRequestLine},
	{"C4", "PROXY v2", "\r\n\r\n\x00\r\nQUIT\n", faultRequestLine},
	{"C10", "TLS hello", "\x16\x03\x01\x02\x00\x01", faultRequestLine},

	{"H1", "head too large", "GET / HTTP/1.1\r\nHost: a\r\nBig: " + strings.Repeat("b", usual.bytes), faultHeadSize},
	{"H1", "exactly the limit", sized(usual.bytes), nil},
	{"H1", "one byte more", sized(usual.bytes + 1), faultHeadSize},
	{"H2", "100 fields", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("a: b\r\n", 99) + "\r\n", nil},
	{"H2", "101 fields", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("a: b\r\n", 100), faultFields},
	{"H4", "no Host", "GET / HTTP/1.1\r\n\r\n", faultHost},
	{"H4", "empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", faultHost},
	{"H4", "two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", faultHost},
	{"H4", "Host with space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", faultHost},
	{"H4", "Host with userinfo", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", faultHost},
	{"H4", "Host with NUL", "GET / HTTP/1.1\r\nHost: a\x00\r\n\r\n", faultField},
	{"H5", "length and chunked", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", faultFraming},
	{"H5", "chunked and length", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", faultFraming},
	{"H5", "two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", faultLength},
	{"H5", "the same length twice", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", faultLength},
	{"H5", "list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", faultLength},
	{"H5", "signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", faultLength},
	{"H5", "length beyond int64", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", faultLength},
	{"H5", "xchunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", faultCoding},
	{"H5", "identity", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", faultCoding},
	{"H5", "list of codings", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", faultCoding},
	{"H5", "chunked twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", faultCoding},
	{"H5", "chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", faultCoding},
	{"H7", "folded with space", "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", faultFold},
	{"H7", "folded with tab", "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\tc\r\n\r\n", faultFold},
	{"H7", "space before colon", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n", faultField},
	{"H7", "bare LF everywhere", "GET / HTTP/1.1\nHost: a\n\n", faultLineEnd},
	{"H7", "bare LF once", "GET / HTTP/1.1\r\nHost: a\nA: b\r\n\r\n", faultLineEnd},
	{"H7", "bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", faultLineEnd},
	{"H7", "no colon", "GET / HTTP/1.1\r\nHost: a\r\nab\r\n\r\n", faultField},
	{"H7", "no name", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", faultField},
	{"H8", "NUL in value", "GET / HTTP/1.1\r\nHost: a\r\nA: b\x00\r\n\r\n", faultField},
	{"H8", "CR in value", "GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n", faultField},
	{"H8", "DEL in value", "GET / HTTP/1.1\r\nHost: a\r\nA: b\x7f\r\n\r\n", faultField},
	{"H9", "TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", faultMethod},
	{"H9", "CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", faultMethod},
	{"H9", "our own word", "REFUSED / HTTP/1.1\r\nHost: a\r\n\r\n", faultMethod},
	{"H9", "unknown method", "FOO / HTTP/1.1\r\nHost: a\r\n\r\n", nil}, // Engine.IO has an answer to that
	{"H10", "absolute form", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", faultTarget},
	{"H10", "asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", faultTarget},
	{"H10", "control character", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", faultTarget},
	{"H10", "raw UTF-8", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", faultTarget},
	{"H10", "8 KiB", "GET /" + strings.Repeat("a", usual.target-1) + " HTTP/1.1\r\nHost: a\r\n\r\n", nil},
	{"H10", "one byte more", "GET /" + strings.Repeat("a", usual.target) + " HTTP/1.1\r\nHost: a\r\n\r\n", faultLongTarget},
	{"H10", "9 KiB without an end", "GET /" + strings.Repeat("a", 9<<10), faultLongTarget},
	{"H15", "HTTP/0.9", "GET /\r\n", faultRequestLine},
	{"H15", "HTTP/1.0 kept alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", faultVersion},
	{"H15", "HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", faultMethod},
	{"H15", "HTTP/3.0", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", faultVersion},
	{"H15", "two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", faultRequestLine},
	{"H15", "blank line first", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", faultRequestLine},
	{"H19", "compressed body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n\r\n", faultContent},
}

// sized is a head of n bytes.
func sized(n int) string {
	const start, end = "GET / HTTP/1.1\r\nHost: a\r\nBig: ", "\r\n\r\n"
	return start + strings.Repeat("b", n-len(start)-len(end)) + end
}

func TestHead(t *testing.T) {
	for _, tt := range heads {
		t.Run(tt.id+" "+tt.name, func(t *testing.T) {
			n, f := new(head).scan([]byte(tt.head), &usual)
			if f != tt.want {
				t.Fatalf("whole: fault %v, want %v", f, tt.want)
			}
			if f == nil && n != len(tt.head) {
				t.Errorf("whole: ends at %d of %d", n, len(tt.head))
			}
			if got := inPieces([]byte(tt.head), 1); got != (result{n, f}) {
				t.Errorf("byte by byte: %v, whole: %v", got, result{n, f})
			}
		})
	}
}

type result struct {
	end   int
	fault *fault
}

// inPieces scans b as it arrives step bytes at a time.
func inPieces(b []byte, step int) result {
	var h head
	for i := step; ; i += step {
		n, f := h.scan(b[:min(i, len(b))], &usual)
		if n != 0 || f != nil || i >= len(b) {
			return result{n, f}
		}
	}
}

// What passes means the same to net/http: one request, of the same framing, that ends where we
// say. And how it was cut into segments makes no difference.
func FuzzHead(f *testing.F) {
	for _, tt := range heads {
		f.Add([]byte(tt.head), 7)
	}
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		var h head
		n, fault := h.scan(b, &usual)
		if got := inPieces(b, max(1, step%64)); got.fault == nil && got.end != n || fault == nil && got != (result{n, fault}) {
			t.Fatalf("in pieces %v, whole %v", got, result{n, fault})
		}
		if fault != nil || n == 0 {
			return
		}
		left := b[:n]
		if h.underscored {
			left = dropUnderscored(bytes.Clone(left))
			if m, f := new(head).scan(left, &usual); m != len(left) || f != nil {
				t.Fatalf("without underscored fields: %d of %d, %v", m, len(left), f)
			}
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(left)))
		if err != nil {
			return // net/http may be stricter
		}
		if chunked := len(r.TransferEncoding) == 1; chunked != h.chunked {
			t.Errorf("net/http: chunked %v, here %v", chunked, h.chunked)
		}
		if !h.chunked && r.ContentLength != h.length {
			t.Errorf("net/http: length %d, here %d", r.ContentLength, h.length)
		}
		for name := range r.Header {
			if strings.Contains(name, "_") {
				t.Errorf("field %q is still there", name)
			}
		}
	})
}

func TestDropUnderscored(t *testing.T) {
	const in = "GET /a_b:c HTTP/1.1\r\nX_Forwarded_For: 1\r\nHost: a\r\nA: b_c\r\n_: d\r\n\r\n"
	const want = "GET /a_b:c HTTP/1.1\r\nHost: a\r\nA: b_c\r\n\r\n"
	if got := string(dropUnderscored([]byte(in))); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBody(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		end        int // -1: a fault
	}{
		{"one chunk", "5\r\nhello\r\n0\r\n\r\nGET", 15},
		{"hex", "A\r\n0123456789\r\n00\r\n\r\n", 21},
		{"extension", "1;a=\"b\"\r\nx\r\n0;c\r\n\r\n", 19},
		{"trailer", "0\r\nA: b\r\nC: d\r\n\r\n", 17},
		{"H6 bare LF after the size", "5\nhello\r\n0\r\n\r\n", -1},
		{"H6 bare LF in an extension", "5;a\nhello\r\n0\r\n\r\n", -1},
		{"H6 bare LF after data", "5\r\nhello\n0\r\n\r\n", -1},
		{"H6 data longer than its size", "5\r\nhello!\r\n0\r\n\r\n", -1},
		{"H6 negative", "-5\r\nhello\r\n", -1},
		{"H6 prefixed", "0x5\r\nhello\r\n", -1},
		{"H6 17 digits", "00000000000000005\r\nhello\r\n", -1},
		{"H6 overflow", "ffffffffffffffff\r\n", -1},
		{"H6 no size", "\r\nhello\r\n", -1},
		{"H6 space", "5 \r\nhello\r\n", -1},
		{"H6 huge extension", "5;" + strings.Repeat("a", 4096) + "\r\nhello\r\n", -1},
		{"H6 huge trailers", "0\r\n" + strings.Repeat("A: b\r\n", 1000) + "\r\n", -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, step := range []int{1, 2, 3, len(tt.body)} {
				b := body{chunked: true}
				end := 0
				for rest := tt.body; rest != "" && end >= 0 && !b.done(); {
					n, f := b.take([]byte(rest[:min(step, len(rest))]))
					end += n
					if f != nil {
						end = -1
					}
					rest = rest[n:]
				}
				if end != tt.end {
					t.Errorf("in steps of %d: ends at %d, want %d", step, end, tt.end)
				}
			}
		})
	}
}

// Where we see the end of a chunked body, net/http does too.
func FuzzBody(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\nGET"))
	f.Add([]byte("1;a=b\r\nx\r\n0\r\nA: b\r\n\r\n"))
	f.Fuzz(func(t *testing.T, p []byte) {
		b := body{chunked: true}
		n, fault := b.take(p)
		if fault != nil || !b.done() {
			return
		}
		in := bufio.NewReader(strings.NewReader("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + string(p)))
		r, err := http.ReadRequest(in)
		if err != nil {
			t.Fatal(err)
		}
		var data bytes.Buffer
		if _, err := data.ReadFrom(r.Body); err != nil {
			return // net/http may be stricter, about trailers and about wasteful chunks
		}
		if rest, want := in.Buffered(), len(p)-n; rest != want && len(p) < 4096-64 {
			t.Errorf("net/http leaves %d bytes of %d, here %d", rest, len(p), want)
		}
	})
}

func BenchmarkHead(b *testing.B) {
	in := fmt.Appendf(nil, "GET /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: a.example\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nCookie: a=b\r\n\r\n", strings.Repeat("s", 20))
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		var h head
		if n, _ := h.scan(in, &usual); n != len(in) {
			b.Fatal(n)
		}
	}
}

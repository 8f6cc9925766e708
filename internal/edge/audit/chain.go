package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Chain is a file of JSON lines, each of which ends with a hash of itself and of the hash before
// it: a line that is changed, put in or taken out breaks every one that follows. Lines at the end
// can be cut off unseen, unless somebody has noted the last hash.
type Chain struct {
	path string // static

	mu   sync.Mutex // guards the following
	f    *os.File
	last [sha256.Size]byte
}

const (
	chainKey = `,"chain":"`
	chainEnd = `"}`
)

// maxLine bounds a line that Verify and Open read.
const maxLine = 1 << 20

// Open opens a file, or makes it with mode 0600, and goes on where its chain ends. It fails if the
// chain is broken. What a crash left of a line is cut off.
func Open(path string) (*Chain, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	c := &Chain{path: path, f: f}
	report, err := Verify(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("audit log %s: %w", path, err)
	}
	c.last = report.last
	if err := f.Truncate(report.bytes); err != nil {
		f.Close()
		return nil, fmt.Errorf("cut audit log: %w", err)
	}
	return c, nil
}

// Reopen goes on in the file that the path leads to, if that is another by now: whatever rotates
// logs has moved the former away. A new file begins with a line that has the last hash of the former, so that no
// file between two others can vanish unseen. On an error the former is written on.
func (c *Chain) Reopen() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	is, err := c.f.Stat()
	if err != nil {
		return fmt.Errorf("reopen audit log: %w", err)
	}
	if there, err := os.Stat(c.path); err == nil && os.SameFile(is, there) {
		return nil
	}
	next, err := Open(c.path)
	if err != nil {
		return err
	}
	line, err := json.Marshal(beginning{Time: time.Now(), Level: slog.LevelInfo, Msg: "audit log goes on from another file", After: hex.EncodeToString(c.last[:])})
	if err == nil {
		_, err = next.Write(append(line, '\n'))
	}
	if err != nil {
		next.f.Close()
		return fmt.Errorf("reopen audit log: %w", err)
	}
	c.f.Close()
	c.f, c.last = next.f, next.last
	return nil
}

// beginning is the first line of a file that follows another.
type beginning struct {
	Time  time.Time  `json:"time"`
	Level slog.Level `json:"level"`
	Msg   string     `json:"msg"`
	After string     `json:"after"`
}

// Write implements io.Writer for whole lines, each a JSON object.
func (c *Chain) Write(line []byte) (int, error) {
	body, ok := bytes.CutSuffix(line, []byte("}\n"))
	if !ok {
		return 0, errors.New("audit: not a line of JSON")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := link(c.last, body)
	out := make([]byte, 0, len(line)+len(chainKey)+hex.EncodedLen(len(sum))+len(chainEnd))
	out = append(append(out, body...), chainKey...)
	out = append(hex.AppendEncode(out, sum[:]), chainEnd+"\n"...)
	if _, err := c.f.Write(out); err != nil {
		return 0, fmt.Errorf("write audit log: %w", err)
	}
	c.last = sum
	return len(line), nil
}

// Close implements io.Closer.
func (c *Chain) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.f.Close()
}

func link(last [sha256.Size]byte, body []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(last[:])
	h.Write(body)
	return [sha256.Size]byte(h.Sum(nil))
}

// Report is what Verify found.
type Report struct {
	Lines int
	Torn  bool   // the file ends in the middle of a line, as after a crash
	After string // the hash that the file before ended with, as the first line has it; empty if none was before

	last  [sha256.Size]byte
	bytes int64 // of the whole lines
}

// Last is the hash that the chain ends with, in hexadecimal: whoever notes it can see later that
// no line after it is missing.
func (r Report) Last() string { return hex.EncodeToString(r.last[:]) }

// Verify reads a chain to its end. The error names the first line that does not follow from those
// before it.
func Verify(file io.Reader) (Report, error) {
	var r Report
	lines := bufio.NewReaderSize(file, 64<<10)
	for {
		line, err := readLine(lines)
		if err == io.EOF {
			r.Torn = len(line) > 0
			return r, nil
		}
		if err != nil {
			return r, fmt.Errorf("line %d: %w", r.Lines+1, err)
		}
		rest, ok := bytes.CutSuffix(line, []byte(chainEnd+"\n"))
		digits := hex.EncodedLen(sha256.Size)
		if cut := len(rest) - digits; ok && cut > 0 {
			body, keyed := bytes.CutSuffix(rest[:cut], []byte(chainKey))
			sum := link(r.last, body)
			if keyed && hex.EncodeToString(sum[:]) == string(rest[cut:]) {
				if r.Lines == 0 {
					var first beginning
					json.Unmarshal(append(body, '}'), &first)
					r.After = first.After
				}
				r.last = sum
				r.Lines++
				r.bytes += int64(len(line))
				continue
			}
		}
		return r, fmt.Errorf("line %d does not follow from those before it: it, or one before, was changed, put in or taken out", r.Lines+1)
	}
}

// readLine returns a line with its end; with io.EOF what there is of one.
func readLine(r *bufio.Reader) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if err != bufio.ErrBufferFull {
			return line, err
		}
		if len(line) > maxLine {
			return nil, errors.New("longer than any that is written")
		}
	}
}

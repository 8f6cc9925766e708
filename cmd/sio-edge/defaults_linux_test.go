package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// rel/T38: with an empty configuration only the door for clients is open to other machines, and nothing
// that lowers the security is on.
func TestDefaultsAreSafe(t *testing.T) {
	s, err := load(nil, func() []string { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if unsafe := s.insecure(); len(unsafe) > 0 {
		t.Errorf("in force by default: %v", unsafe)
	}
	for f := range reflect.TypeFor[settings]().Fields() {
		key := keyOf(f.Name)
		value := reflect.ValueOf(s).FieldByName(f.Name)
		if strings.HasSuffix(key, "-listen") && value.String() != "" && key != "listen" && !local(text(value.String())) {
			t.Errorf("%s is %s", key, value.String())
		}
		if strings.HasPrefix(key, "insecure-") && !value.IsZero() {
			t.Errorf("%s is on", key)
		}
	}

	// The same, as the system sees it: what the process listens on.
	defer http.DefaultClient.CloseIdleConnections()
	p := startEdge(t, "--listen", ":0")
	p.get(t, p.ops+"/healthz")
	var open, loopback int
	for _, addr := range listening(t, p.Process.Pid) {
		switch ip := net.ParseIP(strings.Trim(addr, "[]")); {
		case ip.IsUnspecified():
			open++
		case ip.IsLoopback():
			loopback++
		default:
			t.Errorf("listens on %s", addr)
		}
	}
	if open != 1 || loopback != 2 {
		t.Errorf("%d ports are open to everyone and %d on loopback, want 1 and 2", open, loopback)
	}
	p.Process.Signal(os.Interrupt)
	io.Copy(io.Discard, p.stdout)
	p.Wait()
}

// listening are the addresses on which a process listens, TCP or UDP.
func listening(t *testing.T, pid int) (addrs []string) {
	t.Helper()
	own := make(map[string]bool) // inodes of its sockets
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(fds) == 0 {
		t.Fatalf("its descriptors: %v", err)
	}
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && strings.HasPrefix(target, "socket:[") {
			own[strings.Trim(target, "socket:[]")] = true
		}
	}
	for name, states := range map[string]string{"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, name))
		if err != nil {
			continue // a machine without IPv6
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || fields[3] != states || !own[fields[9]] {
				continue
			}
			host, _, _ := strings.Cut(fields[1], ":")
			addrs = append(addrs, hexIP(host))
		}
	}
	return addrs
}

// hexIP reads an address of /proc/net: words of four bytes in the order of the machine.
func hexIP(s string) string {
	ip := make(net.IP, 0, 16)
	for ; len(s) >= 8; s = s[8:] {
		for i := 6; i >= 0; i -= 2 {
			b, _ := strconv.ParseUint(s[i:i+2], 16, 8)
			ip = append(ip, byte(b))
		}
	}
	return ip.String()
}

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// run runs a subcommand against the edge and returns what it printed.
func (p *process) run(t *testing.T, args ...string) string {
	t.Helper()
	flags := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "-") })
	if flags < 0 {
		flags = len(args)
	}
	code, stdout, stderr := command(t, slices.Concat(args[:flags], []string{"--control", p.control}, args[flags:])...)
	if code != 0 || stderr != "" {
		t.Errorf("%s: exit code %d, %s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// matches compares with a regular expression for all of the output.
func matches(t *testing.T, what, got, want string) {
	t.Helper()
	if !regexp.MustCompile(`^(?s:` + want + `)$`).MatchString(got) {
		t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}

// The outputs of every subcommand that asks a running edge, with clients and a backend there.
func TestOperate(t *testing.T) {
	p := startEdge(t)
	matches(t, "groups", p.run(t, "groups"), `no groups: no backend has attached yet\n`)
	release := p.backend(t)
	defer release()
	a, b := p.join(t), p.join(t)
	short := func(s *socket) string { return regexp.QuoteMeta(shortID(s.sid)) }

	matches(t, "emit", p.run(t, "emit", "--room", "lobby", "news", `"shipping today"`, "9007199254740993"), `news -> 2 sockets in lobby \(0 dropped\)\n`)
	for _, s := range []*socket{a, b} {
		s.want(`42["news","shipping today",9007199254740993,"`)
	}
	matches(t, "emit to one", p.run(t, "emit", "-s", shortID(a.sid), "you"), `you -> 1 socket named `+short(a)+` \(0 dropped\)\n`)
	a.want(`42["you"`)
	matches(t, "emit --json", p.run(t, "emit", "--json", "--everyone", "--except-sid", a.sid, "--", "n", "-1"), `\{"receipt":\{"matched":"1","written":"1"\}\}\n`)
	b.want(`42["n",-1`)

	acked := make(chan string, 1)
	go func() {
		out := new(bytes.Buffer)
		cmd := exec.Command(binary, "emit", "--ack", "--wait", "300ms", "--everyone", "q", "--control", p.control)
		cmd.Stdout = out
		cmd.Run()
		acked <- out.String()
	}()
	a.want(`420["q"]`)
	b.want(`420["q"]`)
	a.send(`430["yes"]`)
	matches(t, "emit --ack", <-acked, short(a)+` +\["yes"\]\n`+short(b)+` +timed out\nq -> 2 sockets in /: 1 acked, 1 timed out\n`)

	matches(t, "join", p.run(t, "join", "--sid", a.sid, "vip", "staff"), `join vip, staff -> 1 socket named `+short(a)+`\n`)
	matches(t, "rooms", p.run(t, "rooms"), `ROOM   SESSIONS\nlobby         2\nstaff         1\nvip           1\n`)
	matches(t, "rooms by prefix", p.run(t, "rooms", "v"), `ROOM  SESSIONS\nvip          1\n`)
	matches(t, "rooms --limit", p.run(t, "rooms", "--limit", "1"), `.*lobby         2\n… and more .*\n`)
	matches(t, "rooms --json", p.run(t, "rooms", "--json", "v"), `\{"name":"vip","sessions":"1"\}\n`)
	matches(t, "no rooms", p.run(t, "rooms", "nothing"), `no rooms in /\n`)
	matches(t, "sessions", p.run(t, "sessions", "--room", "vip"), `SID      USER  STATE  TRANSPORT  SINCE     ADDRESS +ROOMS\n`+
		short(a)+` +open   websocket  \d\d:\d\d:\d\d  127.0.0.1:\d+ +lobby vip staff\n`)
	matches(t, "sessions --count", p.run(t, "sessions", "--count"), `2 sessions in / \(2 open, 0 suspended\)\n`)
	matches(t, "one session", p.run(t, "sessions", "--", shortID(a.sid)), `sid +`+a.sid+`\nnamespace +/\nstate +open\n.*rooms +lobby vip staff\nrevision +\d+\n`)
	matches(t, "nobody", p.run(t, "sessions", "--user", "ann"), `no sessions of ann\n`)
	matches(t, "leave", p.run(t, "leave", "--everyone", "vip"), `leave vip -> 1 socket in / \(nothing to change for 1\)\n`)
	matches(t, "leave all", p.run(t, "leave", "--sid", a.sid, "--all-rooms"), `leave all rooms -> 1 socket named .*\n`)

	a.send(`42["stall"]`)
	a.send(`42["sum",1,2]`)
	eventually(t, "events are in flight", func() bool {
		return regexp.MustCompile(`chat   1/1      2         2 `).MatchString(p.run(t, "groups"))
	})
	matches(t, "groups", p.run(t, "groups", "chat"), `GROUP  MEMBERS  SESSIONS  IN FLIGHT  BACKLOG  OLDEST +REDELIVERED  DEAD\n`+
		`chat   1/1      2         2          0        \d+\S* +0            0\n\nMEMBER  STATE     SESSIONS  IN FLIGHT  SDK\n1       attached         2          2  go/\S+\n`)
	var group struct{ Name, InFlight string }
	if err := json.Unmarshal([]byte(p.run(t, "groups", "--json")), &group); err != nil || group.Name != "chat" || group.InFlight != "2" {
		t.Errorf("groups --json: %+v, %v", group, err)
	}

	matches(t, "disconnect", p.run(t, "disconnect", "--sid", b.sid), `disconnect -> 1 socket named `+short(b)+`\n`)
	b.want("41")
}

// What goes wrong, in words and exit codes.
func TestOperateFaults(t *testing.T) {
	p := startEdge(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	l.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, tt := range []struct {
		args   []string
		code   int
		stderr string
	}{
		{[]string{"groups", "--control", nobody}, exitUnreachable, `sio-edge: no edge at ` + nobody + ` \(connection refused\): is it running\? .*\n`},
		{[]string{"groups", "--control", silent.Addr().String(), "--timeout", "200ms"}, exitUnreachable, `sio-edge: edge at .*: no answer within 200ms\n`},
		{[]string{"emit", "--room", "x", "news", "hello"}, exitUsage, `sio-edge: hello: not JSON; text needs quotes of its own: '"hello"'\n`},
		{[]string{"emit", "news"}, exitUsage, `sio-edge: whom\? give --room, --sid, --user or --everyone\n`},
		{[]string{"emit"}, exitUsage, `sio-edge: expected "<event>.*\n`},
		{[]string{"leave", "--everyone"}, exitUsage, `sio-edge: which rooms\? .*\n`},
		{[]string{"emit", "--everyone", "connect"}, exitFailed, `sio-edge: event "connect": the name is reserved by Socket.IO\n`},
		{[]string{"emit", "--everyone", "-n", "/nowhere", "x"}, exitFailed, `sio-edge: namespace "/nowhere": no configuration and no group declares it\n`},
		{[]string{"sessions", "k3Fz…Qa"}, exitFailed, `sio-edge: k3Fz…Qa: 0 sessions of / look like this\n`},
		{[]string{"sessions", "unknown"}, exitFailed, `sio-edge: session "unknown": no such session\n`},
		{[]string{"groups", "chat"}, exitFailed, `sio-edge: group chat: no member .*\n`},
	} {
		if !strings.Contains(strings.Join(tt.args, " "), "--control") {
			tt.args = append(tt.args, "--control", p.control)
		}
		code, stdout, stderr := command(t, tt.args...)
		if code != tt.code || stdout != "" {
			t.Errorf("%v: exit code %d, want %d; stdout %q", tt.args, code, tt.code, stdout)
		}
		matches(t, strings.Join(tt.args, " "), stderr, tt.stderr)
	}
}

// tail starts a tail and returns its lines, once it is known to see what passes.
func (p *process) tail(t *testing.T, args ...string) (lines <-chan string, stop func() error) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"tail", "--control", p.control}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	c := make(chan string, 100)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			c <- s.Text()
		}
		close(c)
	}()
	for deadline := time.Now().Add(10 * time.Second); ; {
		p.run(t, "emit", "--everyone", "ready")
		select {
		case <-c:
			for len(c) > 0 || settles(c) {
			}
			return c, func() error {
				cmd.Process.Signal(syscall.SIGINT)
				return cmd.Wait()
			}
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("the tail shows nothing")
		}
	}
}

// settles takes a line that comes within a moment.
func settles(c <-chan string) bool {
	select {
	case <-c:
		return true
	case <-time.After(200 * time.Millisecond):
		return false
	}
}

func wantLine(t *testing.T, lines <-chan string, what string) {
	t.Helper()
	select {
	case got := <-lines:
		matches(t, "line", got, `\d\d:\d\d:\d\d\.\d{3}  `+what)
	case <-time.After(15 * time.Second):
		t.Fatalf("no line for %s", what)
	}
}

// who is how a line begins that is about a session.
func who(s *socket) string { return regexp.QuoteMeta(shortID(s.sid)) + " *  " }

// An event that nobody settles is shown all the same, and its end when it comes.
func TestTailDoesNotWaitForEver(t *testing.T) {
	p := startEdge(t)
	release := p.backend(t)
	a := p.join(t)
	lines, _ := p.tail(t)
	a.send(`42["stall"]`)
	wantLine(t, lines, who(a)+`> stall \[\]`)
	release()
	wantLine(t, lines, who(a)+`= stall +chat/1 +\S+`)
}

func TestTail(t *testing.T) {
	p := startEdge(t)
	release := p.backend(t)
	defer release()
	a, b := p.join(t), p.join(t)
	lines, stop := p.tail(t, "--hold", "10s") // so that no load makes two lines of one
	want := func(what string) {
		t.Helper()
		wantLine(t, lines, what)
	}
	a.send(`420["sum",1,2]`)
	want(who(a) + `> sum \[1,2\] -> \[3\] +chat/1 +[\d.]+(µs|ms)`)
	a.send(`42["say","\u001b[31mhi"]`)
	want(who(a) + `> say \["\\u001b\[31mhi"\] +chat/1 +[\d.]+(µs|ms)`)
	want(`lobby     < said \["\\u001b\[31mhi"\] +2 sockets`)
	b.conn.Close()
	want(who(b) + `x transport (close|error) +resumable until \d\d:\d\d:\d\d`)
	p.run(t, "disconnect", "--sid", b.sid)
	want(who(b) + `- closed: server namespace disconnect`)
	c := p.join(t)
	want(`\S+ +  \? asks to come in +127.0.0.1:\d+  chat/1 +[\d.]+(µs|ms)`)
	want(who(c) + `\+ opened +127.0.0.1:\d+`)
	refused := p.connect(t)
	if err := refused.WriteMessage(websocket.TextMessage, []byte(`40{"token":"bad"}`)); err != nil {
		t.Fatal(err)
	}
	want(`\S+ +  \? asks to come in -> refused: not authorized +127.0.0.1:\d+  chat/1 +[\d.]+(µs|ms)`)
	if err := stop(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
}

func TestTailFilters(t *testing.T) {
	p := startEdge(t)
	release := p.backend(t)
	defer release()
	a, b := p.join(t), p.join(t)
	lines, _ := p.tail(t, "--json", "--sid", a.sid, "--event", "s*", "--event", "ready", "-c", "0")
	b.send(`42["sum",1,2]`)
	a.send(`42["other"]`)
	a.send(`42["sum",3,4]`)
	var got struct {
		Event struct {
			Sid         string
			ClientEvent struct{ Event string }
		}
	}
	if err := json.Unmarshal([]byte(<-lines), &got); err != nil || got.Event.Sid != a.sid || got.Event.ClientEvent.Event != "sum" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCompletion(t *testing.T) {
	for shell, want := range map[string]string{
		"bash": `.*\n\t\tgroups\) words="list pause resume --control --help --json --timeout --tls.*" ;;\n.*complete -o default -F _sio_edge sio-edge\n`,
		"zsh":  `#compdef sio-edge\n.*`,
		"fish": `.*'__fish_seen_subcommand_from emit' -l ttl\n.*`,
	} {
		code, stdout, stderr := command(t, "completion", shell)
		if code != 0 || stderr != "" {
			t.Errorf("%s: %d %s", shell, code, stderr)
		}
		matches(t, shell, stdout, want)
		if check, err := exec.LookPath(shell); err == nil && shell != "fish" {
			cmd := exec.Command(check, "-n")
			cmd.Stdin = strings.NewReader(stdout)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s -n: %v %s", shell, err, out)
			}
		}
	}
}

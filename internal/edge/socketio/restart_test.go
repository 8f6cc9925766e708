package socketio_test

import (
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// disk is a Store that commits 5 ms after each change. A kill loses what was not committed.
type disk struct {
	mu       sync.Mutex
	files    files
	pending  []func(*files)
	waiters  []func(error)
	dead     bool
	unwhole  bool     // some packet cannot be read
	withheld bool     // nothing is committed
	known    []string // ids of emits that were found at starts
}

type files struct {
	sessions   map[uint64][]byte
	packets    map[string]map[uint64][]byte
	namespaces map[string][]byte
}

func newDisk() *disk {
	return &disk{files: files{make(map[uint64][]byte), make(map[string]map[uint64][]byte), make(map[string][]byte)}}
}

func (d *disk) put(f func(*files)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return
	}
	d.pending = append(d.pending, f)
	if len(d.pending) == 1 {
		time.AfterFunc(5*time.Millisecond, d.commit)
	}
}

func (d *disk) commit() {
	d.mu.Lock()
	if d.dead || d.withheld {
		d.mu.Unlock()
		return
	}
	for _, f := range d.pending {
		f(&d.files)
	}
	waiters := d.waiters
	d.pending, d.waiters = nil, nil
	d.mu.Unlock()
	for _, f := range waiters {
		f(nil)
	}
}

func (d *disk) SaveSession(key uint64, record []byte) {
	d.put(func(f *files) {
		f.sessions[key] = record
		if record == nil {
			delete(f.sessions, key)
		}
	})
}

func (d *disk) SavePacket(nsp string, offset uint64, record []byte) {
	d.put(func(f *files) {
		if f.packets[nsp] == nil {
			f.packets[nsp] = make(map[uint64][]byte)
		}
		f.packets[nsp][offset] = record
	})
}

func (d *disk) TrimPackets(nsp string, below uint64) {
	d.put(func(f *files) {
		maps.DeleteFunc(f.packets[nsp], func(offset uint64, _ []byte) bool { return offset < below })
	})
}

func (d *disk) SaveNamespace(nsp string, record []byte) {
	d.put(func(f *files) {
		f.namespaces[nsp] = record
		if record == nil {
			delete(f.namespaces, nsp)
			delete(f.packets, nsp)
		}
	})
}

func (d *disk) Together(f func()) { f() }

func (d *disk) Committed(f func(error)) {
	d.mu.Lock()
	d.waiters = append(d.waiters, f)
	d.mu.Unlock()
	d.put(func(*files) {})
}

func (d *disk) Refuses() error { return nil }

// inWorlds runs f in virtual time, with a way to kill the edge and start another on its disk.
func inWorlds(t *testing.T, cfg socketio.Config, f func(w *world, d *disk, restart func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		w := &world{t: t}
		log := slog.New(slog.NewTextHandler(io.Discard, nil))
		stop := func() {
			d.mu.Lock()
			d.dead = true
			waiters := d.waiters
			d.pending, d.waiters = nil, nil
			d.mu.Unlock()
			for _, f := range waiters { // so that those who wait can end
				f(nil)
			}
			w.engine.Close(t.Context())
			w.sockets.Close()
			synctest.Wait()
		}
		start := func() {
			d.dead, d.withheld = false, false
			w.backend = &backend{free: map[string]bool{"/": true, "/custom": true}}
			w.sockets = socketio.NewServer(cfg, w.backend, d, log)
			w.engine = engineio.NewServer(engineio.Config{}, w.sockets, log)
			w.sockets.Restore(socketio.Kept{
				Sessions: func(yield func(uint64, []byte)) bool {
					for _, key := range slices.Sorted(maps.Keys(d.files.sessions)) {
						yield(key, d.files.sessions[key])
					}
					return true
				},
				Packets: func(yield func(string, uint64, []byte)) bool {
					for nsp, packets := range d.files.packets {
						for _, offset := range slices.Sorted(maps.Keys(packets)) {
							yield(nsp, offset, packets[offset])
						}
					}
					return !d.unwhole
				},
				Namespaces: func(yield func(string, []byte)) bool {
					for nsp, record := range d.files.namespaces {
						yield(nsp, record)
					}
					return true
				},
				Emit: func(id string, _ time.Time) { d.known = append(d.known, id) },
			})
		}
		start()
		f(w, d, func() { stop(); start() })
		stop()
	})
}

// settle lets everything that was put be committed.
func settle() {
	time.Sleep(20 * time.Millisecond)
	synctest.Wait()
}

// resume opens a connection that asks for a session and returns what it gets.
func (w *world) resume(auth string) (*client, string) {
	c := w.open()
	c.send("40" + auth)
	settle()
	return c, c.recv()
}

func TestP7_AKillLosesNoSessionAndNothingThatWasAccepted(t *testing.T) {
	inWorlds(t, recovering, func(w *world, d *disk, restart func()) {
		_, sid, pid := w.connect()
		w.apply(&socketio.Join{Target: to(sid), Rooms: []string{"lobby"}})
		w.emit(news(socketio.Target{Rooms: []string{"lobby"}}, `["a"]`))
		settle()
		restart()
		_, got := w.resume(`{"pid":"` + pid + `"}`)
		equal(t, "after the kill", got, `42["news","a","1"]`+"\x1e"+`40{"sid":"`+sid+`","pid":"`+pid+`"}`)
	})
}

// Whoever gets hold of the file cannot come back as one of the clients.
func TestTheStoreHoldsNoKeyToASession(t *testing.T) {
	inWorlds(t, recovering, func(w *world, d *disk, restart func()) {
		c, sid, pid := w.connect()
		c.lose()
		settle()
		held := false
		for _, record := range d.files.sessions {
			held = held || strings.Contains(string(record), sid)
			if strings.Contains(string(record), pid) {
				t.Errorf("pid %s stands in the record of %s", pid, sid)
			}
		}
		if !held {
			t.Errorf("no record of %s", sid)
		}
	})
}

func TestAKillAdmitsWhatTheLogCouldNotHold(t *testing.T) {
	inWorlds(t, socketio.Config{RecoveryWindow: time.Minute, LogPackets: 10}, func(w *world, d *disk, restart func()) {
		c, sid, pid := w.connect()
		c.lose()
		for range 12 {
			w.emit(news(to(sid), `["x"]`))
		}
		settle()
		restart()
		_, got := w.resume(`{"pid":"` + pid + `"}`)
		if again, newPID := ids(got); again != sid || newPID == pid {
			t.Errorf("got %q, want the old sid and a new pid", got)
		}
	})
}

func TestPacketsDoNotAgeWhileTheEdgeIsDown(t *testing.T) {
	inWorlds(t, recovering, func(w *world, d *disk, restart func()) {
		_, sid, pid := w.connect()
		w.emit(news(to(sid), `["a"]`))
		settle()
		// The whole window begins again for a client that was there when the edge died.
		d.mu.Lock()
		d.dead = true
		d.mu.Unlock()
		time.Sleep(10 * time.Minute)
		restart()
		time.Sleep(4 * time.Minute)
		w.connect()
		w.emit(news(everyone(), `["b"]`))
		_, got := w.resume(`{"pid":"` + pid + `"}`)
		if !strings.HasPrefix(got, `42["news","a","1"]`+"\x1e42") || !strings.HasSuffix(got, `{"sid":"`+sid+`","pid":"`+pid+`"}`) {
			t.Errorf("got %q", got)
		}
	})
}

func TestAnOffsetThatWasNeverWrittenIsKnownAfterAKill(t *testing.T) {
	inWorlds(t, recovering, func(w *world, d *disk, restart func()) {
		c, sid, pid := w.connect()
		settle()
		d.withheld = true
		w.emit(news(to(sid), `["a"]`))
		equal(t, "event", c.recv(), `42["news","a","1"]`)
		restart()
		_, got := w.resume(`{"pid":"` + pid + `","offset":"1"}`)
		equal(t, "reply", got, `40{"sid":"`+sid+`","pid":"`+pid+`"}`)
	})
}

func TestAnAcknowledgedEventDoesNotComeAgainAfterKills(t *testing.T) {
	inWorlds(t, recovering, func(w *world, d *disk, restart func()) {
		c, sid, pid := w.connect()
		ask := func(arg string) {
			e := news(to(sid), arg)
			e.AckTimeout, e.Acks = time.Hour, &answers{}
			w.emit(e)
		}
		ask(`["one"]`)
		equal(t, "event", c.recv(), `420["news","one"]`)
		c.send(`430[]`)
		ask(`["two"]`)
		c.recv()
		settle()
		restart()
		c, got := w.resume(`{"pid":"` + pid + `"}`)
		number, rest, _ := strings.Cut(strings.TrimPrefix(got, "42"), "[")
		equal(t, "only what was not acknowledged comes again", rest, `"news","two"]`+"\x1e"+`40{"sid":"`+sid+`","pid":"`+pid+`"}`)
		c.send("43" + number + "[]")
		settle()
		restart()
		_, got = w.resume(`{"pid":"` + pid + `"}`)
		equal(t, "and once only", got, `40{"sid":"`+sid+`","pid":"`+pid+`"}`)
	})
}

func TestA1_AnAnswerToAFormerProcessIsNotTakenForAnother(t *testing.T) {
	inWorlds(t, recovering, func(w *world, d *disk, restart func()) {
		_, sid, pid := w.connect()
		settle()
		restart()
		c, _ := w.resume(`{"pid":"` + pid + `"}`)
		got := &answers{}
		e := news(to(sid), `["two"]`)
		e.AckTimeout, e.Acks = time.Hour, got
		w.emit(e)
		c.recv()
		c.send(`430["for the first event of the former process"]`)
		synctest.Wait()
		equal(t, "answers", got.String(), "")
	})
}

func TestLostPacketsAreAdmitted(t *testing.T) {
	inWorlds(t, recovering, func(w *world, d *disk, restart func()) {
		c, sid, pid := w.connect()
		c.lose()
		w.emit(news(to(sid), `["a"]`))
		w.emit(news(to(sid), `["b"]`))
		settle()
		d.unwhole = true
		delete(d.files.packets["/"], 1)
		restart()
		_, got := w.resume(`{"pid":"` + pid + `"}`)
		if again, newPID := ids(got); again != sid || newPID == pid {
			t.Errorf("got %q, want the old sid and a new pid", got)
		}
	})
}

func TestAForgottenNamespaceLeavesNothingBehind(t *testing.T) {
	inWorlds(t, recovering, func(w *world, d *disk, restart func()) {
		connect := func() (*client, string, string) {
			c := w.open()
			c.send("40/custom,")
			settle()
			sid, pid := ids(c.recv())
			return c, sid, pid
		}
		all := news(everyone(), `["old"]`)
		all.Target.Namespace = "/custom"
		c, _, _ := connect()
		w.emit(all)
		equal(t, "event", c.recv(), `42/custom,["news","old","1"]`)
		c.send("41/custom,")
		settle()
		if len(d.files.packets)+len(d.files.sessions)+len(d.files.namespaces) > 0 {
			t.Errorf("on disk: %v", d.files)
		}
		c, sid, pid := connect()
		c.lose()
		settle()
		restart()
		c = w.open()
		c.send(`40/custom,{"pid":"` + pid + `"}`)
		settle()
		equal(t, "reply", c.recv(), `40/custom,{"sid":"`+sid+`","pid":"`+pid+`"}`)
		w.emit(all)
		if got := c.recv(); got <= `42/custom,["news","old","1"]` {
			t.Errorf("an offset was given again: %s", got)
		}
	})
}

func TestAnOffsetOfTheSessionBeforeMeansFromTheStart(t *testing.T) {
	inWorld(t, recovering, func(w *world) {
		c, _, _ := w.connect()
		w.emit(news(everyone(), `["a"]`))
		c.recv()
		w.emit(news(everyone(), `["b"]`))
		c.send("41")
		c, sid, pid := w.connect() // without an event the client still has offset 1
		c.lose()
		w.emit(news(to(sid), `["c"]`))
		c = w.open()
		c.send(`40{"pid":"` + pid + `","offset":"1"}`)
		equal(t, "reply", c.recv(), `42["news","c","3"]`+"\x1e"+`40{"sid":"`+sid+`","pid":"`+pid+`"}`)
	})
}

func TestP16_AnEmitIsKnownAgainAfterAKill(t *testing.T) {
	inWorlds(t, recovering, func(w *world, d *disk, restart func()) {
		_, sid, _ := w.connect()
		for _, id := range []string{"kept", "asks", "nobody", "volatile"} {
			e := news(to(sid), `[]`)
			e.ID, e.Volatile = id, id == "volatile"
			if id == "asks" {
				e.AckTimeout, e.Acks = time.Hour, &answers{}
			}
			if id == "nobody" {
				e.Target = to("nobody")
			}
			w.emit(e)
		}
		settle()
		restart()
		equal(t, "ids", strings.Join(d.known, " "), "kept")
	})
}

func TestP7_AWindowGoesOnOverRestarts(t *testing.T) {
	inWorlds(t, recovering, func(w *world, d *disk, restart func()) {
		c, _, _ := w.connect()
		c.lose()
		settle()
		for range 3 {
			time.Sleep(time.Minute)
			restart()
			d.mu.Lock()
			writes := len(d.pending)
			d.mu.Unlock()
			if writes > 0 {
				t.Error("a start writes what has not changed")
			}
		}
		time.Sleep(2*time.Minute - time.Second)
		w.want("")
		time.Sleep(time.Second)
		w.want("closed: transport close")
	})
}

package socketio_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

var recovering = socketio.Config{RecoveryWindow: 5 * time.Minute}

func news(target socketio.Target, args string) socketio.Emit {
	return socketio.Emit{Target: target, Event: "news", Args: []byte(args)}
}

func TestY01_Y09_WithoutRecoveryThereIsNoPidAndNoOffset(t *testing.T) {
	inWorld(t, socketio.Config{}, func(w *world) {
		c, _, pid := w.connect()
		equal(t, "pid", pid, "")
		w.emit(news(everyone(), `[1]`))
		equal(t, "event", c.recv(), `42["news",1]`)
		c.lose()
		w.want("opened, closed: transport close")
	})
}

func TestY02_Y03_Y10_Y11_Y14_AClientComesBackToItsSessionAndWhatItMissed(t *testing.T) {
	inWorld(t, recovering, func(w *world) {
		c, sid, pid := w.connect()
		w.apply(&socketio.Join{Target: to(sid), Rooms: []string{"lobby"}})
		w.emit(news(everyone(), `["a"]`))
		equal(t, "Y11 offset behind the arguments", c.recv(), `42["news","a","1"]`)
		c.lose()
		w.emit(news(socketio.Target{Rooms: []string{"lobby"}}, `["b"]`))
		w.emit(news(to(sid), `["c"]`))

		c = w.open()
		c.send(`40{"pid":"` + pid + `","offset":"1"}`)
		equal(t, "Y10 missed packets, then the reply", c.recv(),
			"42[\"news\",\"b\",\"2\"]\x1e42[\"news\",\"c\",\"3\"]\x1e"+`40{"sid":"`+sid+`","pid":"`+pid+`"}`)
		w.want("opened, suspended: transport close, resumed: 2 true")
		s, _ := w.sockets.Get("/", sid)
		equal(t, "Y03 rooms", strings.Join(s.Rooms, " "), "lobby")
	})
}

func TestY04_Y05_UnknownSessionsAndOffsetsStartAnew(t *testing.T) {
	for name, auth := range map[string]func(pid string) string{
		"Y04 unknown pid":        func(string) string { return `{"pid":"AAAAAAAAAAAAAAAAAAAA","offset":"1"}` },
		"Y05 offset of nobody":   func(pid string) string { return `{"pid":"` + pid + `","offset":"!"}` },
		"R4 offset ahead":        func(pid string) string { return `{"pid":"` + pid + `","offset":"zz"}` },
		"R4 offset is no string": func(pid string) string { return `{"pid":"` + pid + `","offset":7}` },
		"R4 offset written anew": func(pid string) string { return `{"pid":"` + pid + `","offset":"01"}` },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, recovering, func(w *world) {
				c, sid, pid := w.connect()
				w.emit(news(everyone(), `["a"]`))
				c.recv()
				c.lose()
				c = w.open()
				c.send("40" + auth(pid))
				newSID, newPID := ids(c.recv())
				resumed := newSID == sid
				// A number is no offset: to the reference and to us the client sent none.
				if want := strings.Contains(name, "no string"); resumed != want || !want && newPID == pid {
					t.Errorf("sid %s pid %s after %s %s", newSID, newPID, sid, pid)
				}
			})
		})
	}
}

func TestY06_OnlyEventsForTheSessionAreKept(t *testing.T) {
	inWorld(t, recovering, func(w *world) {
		c, sid, pid := w.connect()
		w.apply(&socketio.Join{Target: to(sid), Rooms: []string{"in", "out"}})
		w.apply(&socketio.Leave{Target: to(sid), Rooms: []string{"out"}})
		c.lose()
		other, otherSID, _ := w.connect()
		w.apply(&socketio.Join{Target: to(otherSID), Rooms: []string{"in", "out"}})
		w.emit(news(socketio.Target{Rooms: []string{"in"}}, `["yes"]`))
		w.emit(news(socketio.Target{Rooms: []string{"out"}}, `["room left"]`))
		w.emit(news(socketio.Target{Everyone: true, ExceptRooms: []string{"in"}}, `["excepted room"]`))
		w.emit(news(socketio.Target{Everyone: true, ExceptSIDs: []string{sid}}, `["excepted sid"]`))
		w.emit(news(to(otherSID), `["another's"]`))
		e := news(everyone(), `["volatile"]`)
		e.Volatile = true
		w.emit(e)
		e = news(everyone(), `["too late"]`)
		e.TTL = time.Minute
		w.emit(e)
		w.apply(&socketio.Leave{Target: to(sid), All: true}) // it was in the room when the event was emitted
		time.Sleep(2 * time.Minute)
		_ = other

		c = w.open()
		c.send(`40{"pid":"` + pid + `"}`)
		got := c.recv()
		if !strings.HasPrefix(got, `42["news","yes","1"]`+"\x1e40") {
			t.Errorf("replayed %q", got)
		}
	})
}

func TestY12_Y13_AWindowEndsOnce(t *testing.T) {
	inWorld(t, recovering, func(w *world) {
		c, _, pid := w.connect()
		c.lose()
		time.Sleep(5*time.Minute - time.Millisecond)
		w.want("opened, suspended: transport close")
		time.Sleep(2 * time.Millisecond)
		w.want("opened, suspended: transport close, closed: transport close")
		c = w.open()
		c.send(`40{"pid":"` + pid + `"}`)
		if _, again := ids(c.recv()); again == pid {
			t.Error("resumed after its end")
		}
	})
}

func TestY12_FinalReasonsLeaveNothingToComeBackTo(t *testing.T) {
	t.Run("the client's goodbye", func(t *testing.T) {
		inWorld(t, recovering, func(w *world) {
			c, _, _ := w.connect()
			c.send("41")
			w.want("opened, closed: client namespace disconnect")
		})
	})
	t.Run("a backend's goodbye, R8", func(t *testing.T) {
		inWorld(t, recovering, func(w *world) {
			c, sid, pid := w.connect()
			w.apply(&socketio.Disconnect{Target: to(sid)})
			equal(t, "packet", c.recv(), "41")
			w.want("opened, closed: server namespace disconnect")
			c = w.open()
			c.send(`40{"pid":"` + pid + `"}`)
			if again, _ := ids(c.recv()); again == sid {
				t.Error("resumed")
			}
		})
	})
	t.Run("a parse error", func(t *testing.T) {
		inWorld(t, recovering, func(w *world) {
			c, _, _ := w.connect()
			c.send("abc")
			w.want("opened, closed: parse error")
		})
	})
}

func TestY08_Y15_NothingIsSentBeforeTheDecision(t *testing.T) {
	inWorld(t, recovering, func(w *world) {
		c, sid, pid := w.connect()
		c.lose()
		w.emit(news(to(sid), `["secret"]`))
		w.backend.asked = map[string]bool{"/": true}

		c = w.open()
		c.send(`40{"pid":"` + pid + `","token":"bad"}`)
		synctest.Wait()
		ev := w.backend.last()
		equal(t, "Y23 auth as backends see it", string(ev.Life.Auth), `{"token":"bad"}`)
		if !ev.Life.Resuming {
			t.Error("the request does not say that it resumes")
		}
		w.sockets.Reject(ev, "no", nil)
		equal(t, "a refused client gets", c.recv(), `44{"message":"no"}`)

		c = w.open()
		c.send(`40{"pid":"` + pid + `"}`)
		synctest.Wait()
		var f socketio.Flush
		if err := w.sockets.Accept(w.backend.last(), &socketio.Accept{}, &f); err != nil {
			t.Fatal(err)
		}
		f.Do()
		equal(t, "an accepted one", c.recv(), `42["news","secret","1"]`+"\x1e"+`40{"sid":"`+sid+`","pid":"`+pid+`"}`)
	})
}

func TestR3_AnotherUserGetsASessionOfItsOwn(t *testing.T) {
	inWorld(t, recovering, func(w *world) {
		w.backend.asked = map[string]bool{"/": true}
		join := func(auth, user string) (string, string) {
			c := w.open()
			c.send("40" + auth)
			synctest.Wait()
			var f socketio.Flush
			w.sockets.Accept(w.backend.last(), &socketio.Accept{UserID: user}, &f)
			f.Do()
			return ids(c.recv())
		}
		sid, pid := join("", "ann")
		if again, _ := join(`{"pid":"`+pid+`"}`, "bob"); again == sid {
			t.Error("bob resumed ann's session")
		}
		if again, _ := join(`{"pid":"`+pid+`"}`, "ann"); again != sid {
			t.Error("ann did not come back to hers")
		}
	})
}

func TestP12_Y16_Y17_ATakeoverLeavesOneLiveOwner(t *testing.T) {
	inWorld(t, recovering, func(w *world) {
		old, sid, pid := w.connect()
		w.apply(&socketio.Join{Target: to(sid), Rooms: []string{"lobby"}})
		c := w.open()
		c.send(`40{"pid":"` + pid + `"}`)
		equal(t, "sid", first(ids(c.recv())), sid)
		old.send(`42["ghost"]`)
		w.want("opened, suspended: transport close, resumed: 0 true")
		time.Sleep(40 * time.Second) // whatever the old connection left must not end the session
		if r := w.emit(news(socketio.Target{Rooms: []string{"lobby"}}, `[]`)); r.Matched != 1 {
			t.Errorf("matched %d", r.Matched)
		}
	})
}

func first(a, _ string) string { return a }

func TestY18_ASessionWithoutEventsComesBack(t *testing.T) {
	inWorld(t, recovering, func(w *world) {
		w.connect()
		w.emit(news(everyone(), `["before"]`))
		c, sid, pid := w.connect()
		c.lose()
		c = w.open()
		c.send(`40{"pid":"` + pid + `"}`)
		equal(t, "reply", c.recv(), `40{"sid":"`+sid+`","pid":"`+pid+`"}`)
	})
}

func TestY19_AVolatileEventRepeatsTheNewestOffset(t *testing.T) {
	inWorld(t, recovering, func(w *world) {
		c, _, _ := w.connect()
		w.emit(news(everyone(), `["kept"]`))
		c.recv()
		got := make(chan string, 1)
		go func() { got <- c.recv() }()
		synctest.Wait()
		e := news(everyone(), `["a string"]`)
		e.Volatile = true
		w.emit(e)
		equal(t, "volatile", <-got, `42["news","a string","1"]`)
	})
}

func TestY22_WhatTheLogCannotHoldIsAdmitted(t *testing.T) {
	inWorld(t, socketio.Config{RecoveryWindow: time.Minute, LogPackets: 10}, func(w *world) {
		c, sid, pid := w.connect()
		c.lose()
		for range 12 {
			w.emit(news(to(sid), `["x"]`))
		}
		c = w.open()
		c.send(`40{"pid":"` + pid + `"}`)
		again, newPID := ids(c.recv())
		if again != sid || newPID == pid {
			t.Errorf("sid %s pid %s, want the old sid and a new pid", again, newPID)
		}
		w.want("opened, suspended: transport close, resumed: 0 false")
	})
}

func TestP1_AQuietClientIsWholeHoweverMuchOthersGot(t *testing.T) {
	inWorld(t, socketio.Config{RecoveryWindow: time.Minute, LogPackets: 10}, func(w *world) {
		c, sid, pid := w.connect()
		_, other, _ := w.connect()
		c.lose()
		for range 100 {
			w.emit(news(to(other), `["x"]`))
		}
		c = w.open()
		c.send(`40{"pid":"` + pid + `"}`)
		equal(t, "reply", c.recv(), `40{"sid":"`+sid+`","pid":"`+pid+`"}`)
	})
}

func TestAnAckMovesTheCursor(t *testing.T) {
	inWorld(t, recovering, func(w *world) {
		c, sid, pid := w.connect()
		answers := &answers{}
		ask := func(arg string) {
			e := news(to(sid), arg)
			e.AckTimeout, e.Acks = time.Hour, answers
			w.emit(e)
		}
		ask(`["one"]`)
		equal(t, "no offset where a callback is awaited", c.recv(), `420["news","one"]`)
		c.send(`430["got it"]`)
		ask(`["two"]`)
		c.lose()
		c = w.open()
		c.send(`40{"pid":"` + pid + `"}`)
		equal(t, "only what was not acknowledged comes again", c.recv(), `421["news","two"]`+"\x1e"+`40{"sid":"`+sid+`","pid":"`+pid+`"}`)
		c.send(`431[]`)
		synctest.Wait()
		equal(t, "answers", answers.String(), `acked ["got it"]; sum 1 0 0 0; acked []; sum 1 0 0 0`)
	})
}

package engineio

import "testing"

func TestSmoke(t *testing.T) {
	e := newEdge(t, Config{}, &floor{})
	c, o := e.ws()
	t.Log(o)
	c.say("4hello", "4again")
	c.want("4hello", "4again")
	_, q := e.poll()
	e.want(200, "ok", "POST", q, "4a\x1e4b")
	e.want(200, "4a\x1e4b", "GET", q, "")
	sid, q := e.poll()
	u := e.dial("EIO=4&transport=websocket&sid="+sid, nil)
	u.say("2probe")
	u.want("3probe")
	e.want(200, "6", "GET", q, "")
	u.say("5", "4up")
	u.want("4up")
	c.send(frame(0x88, nil))
	c.wantClose(1005)
	u.say("1")
	u.wantClose(1005)
}

package limit

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBucket(t *testing.T) {
	var b Bucket
	r := PerSecond(10, 50)
	now := int64(1e12)
	n := 0
	for b.Take(now, r) {
		n++
	}
	if n != 50 {
		t.Errorf("%d at once", n)
	}
	n = 0
	for range 10_000 { // ten seconds
		if now += 1e6; b.Take(now, r) {
			n++
		}
	}
	if n != 100 {
		t.Errorf("%d in ten seconds", n)
	}
}

func TestWhatIsOwedIsPaidInTime(t *testing.T) {
	var b Bucket
	r := PerSecond(50, 200)
	now := int64(1e12)
	for i := range 200 {
		if wait := b.Owe(now, 1, r); wait != 0 {
			t.Fatalf("wait %v after %d", wait, i)
		}
	}
	if wait := b.Owe(now, 25, r); wait != 500*time.Millisecond {
		t.Errorf("wait %v for 25 more", wait)
	}
	if full := b.Full(now+int64(2500*time.Millisecond), r); full != 0.5 {
		t.Errorf("%v full after half of the time", full)
	}
}

func TestAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAddresses(PerAddress{Open: 2, Arrivals: PerSecond(10, 5)})
		v4, mapped, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		for i, addr := range []netip.Addr{v4, mapped, v4, v4} {
			if got := a.Connect(addr); got != Welcome {
				t.Errorf("connection %d: %v", i, got)
			}
		}
		if got := a.Connect(v4); got != TooMany {
			t.Errorf("a fifth connection: %v", got)
		}
		a.Disconnect(v4)
		if got := a.Connect(v4); got != Welcome {
			t.Errorf("after one has gone: %v", got)
		}
		a.Disconnect(v4)
		if got := a.Connect(v4); got != TooOften {
			t.Errorf("a sixth at once: %v", got)
		}
		time.Sleep(100 * time.Millisecond)
		if got := a.Connect(v4); got != Welcome {
			t.Errorf("a tenth of a second later: %v", got)
		}
		for i, want := range []Verdict{Welcome, Welcome, TooMany} {
			if got := a.Begin(v4, false); got != want {
				t.Errorf("session %d: %v", i, got)
			}
		}
		if a.Connect(other) != Welcome || a.Begin(other, true) != Welcome {
			t.Error("one address costs another")
		}
		for range 4 {
			a.Disconnect(v4)
		}
		a.End(v4)
		a.End(v4)
		a.Disconnect(other)
		a.End(other)
		time.Sleep(time.Second)
		a.Connect(v4)
		a.Disconnect(v4)
		if got := a.Known(); got > 2 {
			t.Errorf("%d addresses are remembered", got)
		}
	})
}

// N8: whoever has tried too many credentials that are not good has to wait.
func TestN8_AnAddressThatKeepsFailingHasToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAddresses(PerAddress{Failures: PerMinute(6)})
		bad, good := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		begin := func(addr netip.Addr, want Verdict) {
			t.Helper()
			got := a.Begin(addr, false)
			if got == Welcome {
				a.End(addr)
			}
			if got != want {
				t.Errorf("%v: %v, want %v", addr, got, want)
			}
		}
		for range 5 {
			a.Fail(bad)
			begin(bad, Welcome)
		}
		for range 100 {
			a.Fail(bad)
		}
		begin(bad, TooManyFailures)
		begin(good, Welcome)
		if a.Connect(bad) != Welcome { // what is there goes on
			t.Error("no connection")
		}
		a.Disconnect(bad)
		time.Sleep(10 * time.Second)
		begin(bad, Welcome) // one more
		a.Fail(bad)
		begin(bad, TooManyFailures)
		time.Sleep(time.Minute)
		begin(bad, Welcome)
		if n := a.Known(); n != 0 {
			t.Errorf("%d are remembered", n)
		}
	})
}

// V2: a customer with IPv6 has a /64.
func TestV2_AddressesOfOneCustomerCountTogether(t *testing.T) {
	a := NewAddresses(PerAddress{Open: 1})
	if a.Begin(netip.MustParseAddr("2001:db8::1"), false) != Welcome {
		t.Fatal("not welcome")
	}
	if got := a.Begin(netip.MustParseAddr("2001:db8::ffff:0:0:2"), false); got != TooMany {
		t.Errorf("another address of the /64: %v", got)
	}
	if got := a.Begin(netip.MustParseAddr("2001:db8:0:1::1"), false); got != Welcome {
		t.Errorf("the next /64: %v", got)
	}
}

// Addresses that have come and gone are forgotten, however many there were.
func TestAddressesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAddresses(PerAddress{Arrivals: PerSecond(10, 10)})
		for i := range 100_000 {
			addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			a.Connect(addr)
			a.Disconnect(addr)
			if i%100 == 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		if got := a.Known(); got > 4096 {
			t.Errorf("%d are remembered", got)
		}
	})
}

func TestNobodyIsBoundWithoutABound(t *testing.T) {
	var a *Addresses = NewAddresses(PerAddress{})
	addr := netip.MustParseAddr("192.0.2.1")
	for range 1000 {
		if a.Connect(addr) != Welcome || a.Begin(addr, true) != Welcome {
			t.Fatal("bound")
		}
	}
	a.Disconnect(addr)
	a.End(addr)
}

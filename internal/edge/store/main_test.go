package store

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// roles are what this binary is when a test starts it as another process.
var roles = map[string]func(arg string){}

func TestMain(m *testing.M) {
	for env, role := range roles {
		if arg, set := os.LookupEnv(env); set {
			role(arg)
			return
		}
	}
	goleak.VerifyTestMain(m)
}

// torture says whether the long form of a test is asked for.
func torture() bool { return os.Getenv("SIOEDGE_TORTURE") != "" }

func rounds(short, long int) int {
	if torture() {
		return long
	}
	return short
}

// waitFor polls until the condition holds.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

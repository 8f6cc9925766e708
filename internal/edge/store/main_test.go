package store

import (
	"os"
	"testing"

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

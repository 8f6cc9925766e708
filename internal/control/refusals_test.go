package control

import (
	"testing"

	"github.com/sio-edge/sio-edge/internal/control/access"
	"github.com/sio-edge/sio-edge/internal/edge"
	"github.com/sio-edge/sio-edge/internal/edge/engineio"
	"github.com/sio-edge/sio-edge/internal/edge/socketio"
)

// No meaning is of a refusal that does not exist any more.
func TestMeanings(t *testing.T) {
	known := make(map[[2]string]bool)
	for _, all := range []map[string][]string{edge.Refusals(), engineio.Refusals(), {"socketio": socketio.Refusals()}, access.Refusals()} {
		for layer, reasons := range all {
			for _, reason := range reasons {
				known[[2]string{layer, reason}] = true
				if meaning(layer, reason) == "" {
					t.Errorf("%s, %s: say in refusals.go what it means for an operator", layer, reason)
				}
			}
		}
	}
	for m := range meanings {
		if !known[m] {
			t.Errorf("%s, %s: there is no such refusal", m[0], m[1])
		}
	}
}

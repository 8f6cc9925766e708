package hostile

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// json is a row of a body that is no request: one that JSON parsers have been stuck on, or fallen over.
func json(input, body string) row {
	return row{id: "G15", input: input, play: func(t *testing.T, e *edge) {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
		for _, method := range []string{"AdminService/ListGroups", "CommandService/Execute"} {
			began := time.Now()
			resp, err := client.Post(fmt.Sprintf("http://%s/sioedge.v1.%s", e.ops, method), "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusBadRequest || err != nil {
				t.Errorf("%s: %s %.200q %v", method, resp.Status, b, err)
			}
			if took := time.Since(began); took > slack {
				t.Errorf("%s took %v", method, took)
			}
		}
	}}
}

// controlRows are what the JSON form of the control plane is sent. CVE-2024-24786 is a message that ends in a
// value nobody knows.
var controlRows = []row{
	json("an unknown value without an end", `{"unknown":{"a":`),
	json("an unknown list without an end", `{"unknown":[`),
	json("an Any without an end", `{"@type":"type.googleapis.com/google.protobuf.Any","value":{`),
	json("100,000 lists in each other", `{"unknown":`+strings.Repeat("[", 100_000)),
	json("100,000 objects in each other", strings.Repeat(`{"a":`, 100_000)),
	json("no JSON", "\x00\xff"),
	json("a number of 1 MB", `{"unknown":`+strings.Repeat("9", 1_000_000)),
	json("a key twice", `{"commands":[],"commands":[]}`),
}

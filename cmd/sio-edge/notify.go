package main

import (
	"net"
	"os"
)

// The service manager is told how the edge fares, if there is one that asks (sd_notify(3)).

func notifyReady()    { notify("READY=1") }
func notifyStopping() { notify("STOPPING=1") }

// notify is best effort: who does not listen does not want to know.
func notify(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"}) // "@" begins an abstract name, for Go too
	if err != nil {
		return
	}
	defer conn.Close()
	conn.Write([]byte(state))
}

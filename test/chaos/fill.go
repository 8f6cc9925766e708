package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// fillNamespaces are joined by connections that are there only to leave sessions behind: they
// wait in the store for clients that never come.
const fillNamespaces = "/fill-*"

// perConnection is how many sessions one connection leaves: the default of --namespaces-per-connection.
const perConnection = 16

// fill leaves about so many sessions in the store of the edge.
func fill(ctx context.Context, addr string, sessions int, out io.Writer) error {
	began := time.Now()
	connections := (sessions + perConnection - 1) / perConnection
	var next atomic.Int64
	var workers sync.WaitGroup
	failed := make(chan error, 1)
	for range 16 {
		workers.Go(func() {
			for next.Add(1) <= int64(connections) && ctx.Err() == nil {
				if err := leaveSessions(addr); err != nil {
					select {
					case failed <- fmt.Errorf("leave sessions behind: %w", err):
					default:
					}
					return
				}
			}
		})
	}
	workers.Wait()
	select {
	case err := <-failed:
		return err
	default:
	}
	fmt.Fprintf(out, "%d sessions were left behind in %s\n", connections*perConnection, time.Since(began).Round(time.Second))
	return ctx.Err()
}

// leaveSessions joins some namespaces and goes.
func leaveSessions(addr string) error {
	dialer := websocket.Dialer{HandshakeTimeout: 20 * time.Second}
	ws, _, err := dialer.Dial("ws://"+addr+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		return err
	}
	defer ws.Close()
	ws.SetReadDeadline(time.Now().Add(20 * time.Second))
	for i := range perConnection {
		if err := ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, "40/fill-%d,", i)); err != nil {
			return err
		}
	}
	for joined := 0; joined < perConnection; {
		_, m, err := ws.ReadMessage()
		if err != nil {
			return err
		}
		if strings.HasPrefix(string(m), "40/") {
			joined++
		}
	}
	return nil
}

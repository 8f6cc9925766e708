package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sio-edge/sio-edge/internal/edge/socketio"
	"github.com/sio-edge/sio-edge/internal/edge/store"
)

type inspectCmd struct {
	Sessions bool   `help:"List the sessions."`
	JSON     bool   `name:"json" help:"Print JSON for programs, one value a line."`
	File     string `arg:"" default:"./data" help:"A store, or the data directory it is in."`
}

// Help is shown by --help.
func (inspectCmd) Help() string {
	return `Reads the whole file and changes nothing. Of a file that a running edge writes to, what changes meanwhile may
look like a fault. The exit code is 1 if an edge would not open the file as it is.

Examples:
  sio-edge inspect
  sio-edge inspect --sessions /var/lib/sio-edge/sio-edge.db`
}

// Run prints what the file holds.
func (c *inspectCmd) Run() error {
	path := storeIn(c.File)
	var sessions []socketio.KeptSession
	r, err := store.Inspect(path, func(t store.Table, _ string, _ uint64, record []byte) error {
		if c.Sessions && t == store.Sessions {
			if k, err := socketio.ParseSession(record); err == nil {
				sessions = append(sessions, k)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		out := json.NewEncoder(os.Stdout)
		if err := out.Encode(r); err != nil {
			return err
		}
		for _, k := range sessions {
			if err := out.Encode(k); err != nil {
				return err
			}
		}
	case c.Sessions:
		stdout().keptSessions(sessions)
	default:
		stdout().report(path, r)
	}
	if !r.Sound && !r.InUse {
		return errors.New(path + ": an edge would keep what is good of it and set the file aside")
	}
	return nil
}

func (p *page) report(path string, r *store.Report) {
	state := p.style(green, "sound")
	switch {
	case !r.Sound && r.InUse:
		state = p.style(yellow, "in use by an edge that changed it meanwhile")
	case !r.Sound:
		state = p.style(red, "damaged")
	case r.InUse:
		state += ", in use"
	}
	p.facts("file", fmt.Sprintf("%s, %s, %s in use", path, weight(uint64(r.Bytes)), plural(uint64(r.Pages), "page")),
		"state", state, "edge", r.EdgeID, "log", r.LogID, "starts", number(r.Epoch))
	for _, fault := range r.Faults {
		fmt.Fprintf(p.w, "%s %s\n", p.style(red, "fault:"), fault)
	}
	var rows [][]string
	for _, part := range r.Parts {
		note := ""
		if part.Damaged > 0 {
			note = number(part.Damaged) + " damaged "
		}
		if part.Missing > 0 {
			note += number(part.Missing) + " missing"
		}
		rows = append(rows, []string{part.Table, printable(part.Of), number(part.Records), weight(uint64(part.Bytes)), note})
	}
	if len(rows) == 0 {
		fmt.Fprintln(p.w, "\nno records")
		return
	}
	fmt.Fprintln(p.w)
	p.table([]string{"TABLE", "OF", "RECORDS#", "SIZE#", ""}, rows)
}

func (p *page) keptSessions(sessions []socketio.KeptSession) {
	if len(sessions) == 0 {
		fmt.Fprintln(p.w, "no sessions")
		return
	}
	var rows [][]string
	for _, k := range sessions {
		state := "open"
		if k.State == socketio.Away {
			state = "away until " + day(k.Until) + ": " + string(k.Reason)
			if k.Until.Before(time.Now()) {
				state = "over since " + day(k.Until)
			}
		}
		rows = append(rows, []string{shortID(k.SID), k.Namespace, printable(k.UserID), day(k.OpenedAt), state, cut(printable(strings.Join(k.Rooms, " ")), 60)})
	}
	p.table([]string{"SID", "NAMESPACE", "USER", "SINCE", "STATE", "ROOMS"}, rows)
}

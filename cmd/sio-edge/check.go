package main

import (
	"fmt"
	"os"
	"strings"
)

type checkCmd struct {
	JSON     bool     `name:"json" help:"Print JSON for programs."`
	Settings settings `embed:""`
}

// Help is shown by --help.
func (checkCmd) Help() string {
	return `Takes what serve takes and starts nothing. Every fault is told at once, and options that lower the security
of the edge are named. The exit code is 2 if serve would not start.

Examples:
  sio-edge check --config /etc/sio-edge/edge.yaml
  sio-edge check --listen :443 --json`
}

// Run loads the configuration as serve does, and nothing else.
func (c checkCmd) Run(flags flagValues) error {
	s, err := load(flags, os.Environ)
	if c.JSON {
		return c.json(s, err)
	}
	if err != nil {
		return configError{err}
	}
	for _, option := range s.insecure() {
		fmt.Printf("config: %s lowers the security of the edge\n", option)
	}
	fmt.Println("config: ok")
	return nil
}

func (checkCmd) json(s settings, err error) error {
	faults := []string{}
	if err != nil {
		faults = strings.Split(err.Error(), "\n")
	}
	if e := printValue(map[string]any{"ok": err == nil, "faults": faults, "insecure": append([]string{}, s.insecure()...)}); e != nil {
		return e
	}
	if err != nil {
		return told(exitUsage)
	}
	return nil
}

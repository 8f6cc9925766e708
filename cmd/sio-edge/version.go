package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCmd struct {
	JSON bool `name:"json" help:"Print JSON for programs."`
}

// Help is shown by --help.
func (versionCmd) Help() string {
	return `Examples:
  sio-edge version
  sio-edge version --json | jq -r .commit`
}

// Run prints the version, the commit if it is known, and the compiler.
func (c versionCmd) Run() error {
	commit := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	if c.JSON {
		return printValue(map[string]string{"version": version, "commit": commit, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
	}
	if commit != "" {
		commit = " " + commit[:min(12, len(commit))]
	}
	fmt.Printf("sio-edge %s%s %s %s/%s\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

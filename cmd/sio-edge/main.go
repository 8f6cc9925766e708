// Command sio-edge is the edge and everything that is done with one from a terminal: one
// subcommand per file. It alone knows flags, environment variables and files.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/sio-edge/sio-edge/internal/edge/store"
)

// version is that of the edge and of its SDKs.
const version = "0.1.0"

// Exit codes.
const (
	exitFailed = 1 // something went wrong while running
	exitUsage  = 2 // the configuration or the command line is wrong
	exitInUse  = 3 // another process has the address or the store

	exitUnreachable = 4 // there is no edge to ask
)

// cli is the command line. A subcommand is a type in a file of its own, with a method Run.
type cli struct {
	Serve    serveCmd     `cmd:"" default:"withargs" help:"Run the edge (what happens without a command)."`
	Operator operatorCmds `embed:""`

	Check   checkCmd   `cmd:"" help:"Check the configuration and say everything that is wrong with it."`
	Version versionCmd `cmd:"" help:"Print the version."`
	Bench   benchCmd   `cmd:"" help:"Put load on a Socket.IO server, check every answer and measure."`
}

func main() {
	flags := make(flagValues)
	parser := kong.Must(new(cli), append(flags.options(),
		kong.Name("sio-edge"),
		kong.Description("An edge for Socket.IO: it owns the connections, backends in any language own the application.\n"+
			"Every key is also a line of the --config file and an environment variable: ping-interval: 25s, "+envName("ping-interval")+"=25s."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.WithHyphenPrefixedParameters(true), // one session id in 64 begins so
		kong.Bind(flags),
	)...)
	ctx, err := parser.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "sio-edge: %v (see sio-edge --help)\n", err)
		os.Exit(exitUsage)
	}
	if err := ctx.Run(); err != nil {
		code := exitCode(err)
		prefix := "sio-edge"
		if errors.As(err, new(configError)) {
			prefix = "config"
		}
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(os.Stderr, "%s: %s\n", prefix, strings.TrimSuffix(line, "\n"))
		}
		os.Exit(code)
	}
}

// configError marks an error as one of the configuration.
type configError struct{ error }

// ExitCode is for exitCode.
func (configError) ExitCode() int { return exitUsage }

func exitCode(err error) int {
	var coded kong.ExitCoder
	switch {
	case errors.As(err, &coded):
		return coded.ExitCode()
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, store.ErrInUse):
		return exitInUse
	}
	return exitFailed
}

// Command sio-edge is the edge and everything that is done with one from a terminal: one
// subcommand per file. It alone knows flags, environment variables and files.
package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
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
	Serve   serveCmd   `cmd:"" default:"withargs" group:"Run:" help:"Run the edge (what happens without a command)."`
	Check   checkCmd   `cmd:"" group:"Run:" help:"Check the configuration and say everything that is wrong with it."`
	Drain   drainCmd   `cmd:"" group:"Run:" help:"End the edge: let go of its clients one after the other, keep their sessions."`
	Backup  backupCmd  `cmd:"" group:"Run:" help:"Copy the store while the edge works on."`
	Restore restoreCmd `cmd:"" group:"Run:" help:"Put a backup in place of the store."`

	Top      topCmd      `cmd:"" group:"Look:" help:"Show the edge live: figures, groups, sessions, the tail."`
	Sessions sessionsCmd `cmd:"" group:"Look:" help:"Show who is connected, or one session."`
	Rooms    roomsCmd    `cmd:"" group:"Look:" help:"Show the rooms of a namespace."`
	Groups   groupsCmd   `cmd:"" group:"Look:" help:"Show the groups of backends and how they keep up; pause and resume them."`
	Tail     tailCmd     `cmd:"" group:"Look:" help:"Show what passes through the edge, as it passes."`
	Refused  refusedCmd  `cmd:"" group:"Look:" help:"Show what was turned away, and why."`
	Inspect  inspectCmd  `cmd:"" group:"Look:" help:"Show what is in a store file, without changing it."`

	Emit        emitCmd        `cmd:"" group:"Act:" help:"Send an event to clients."`
	Join        joinCmd        `cmd:"" group:"Act:" help:"Add sessions to rooms."`
	Leave       leaveCmd       `cmd:"" group:"Act:" help:"Remove sessions from rooms."`
	Disconnect  disconnectCmd  `cmd:"" group:"Act:" help:"End sessions."`
	DeadLetters deadLettersCmd `cmd:"" name:"deadletters" group:"Act:" help:"Show, deliver again or discard what a group could not handle."`
	Seek        seekCmd        `cmd:"" group:"Act:" help:"Move a group within the event log: empty its backlog, or replay."`

	Audit      auditCmd      `cmd:"" group:"Other:" help:"Check an audit file."`
	Bench      benchCmd      `cmd:"" group:"Other:" help:"Put load on a Socket.IO server, check every answer and measure."`
	Token      tokenCmd      `cmd:"" group:"Other:" help:"Make a token for a caller, and its hash for the access file."`
	Certs      certsCmd      `cmd:"" group:"Other:" help:"Make certificates for an edge and its callers."`
	Completion completionCmd `cmd:"" group:"Other:" help:"Print a completion script for a shell."`
	Version    versionCmd    `cmd:"" group:"Other:" help:"Print the version."`
}

const description = `An edge for Socket.IO: it owns the connections, backends in any language own the application.

  who is connected?               sio-edge sessions, sio-edge top
  why was a client refused?       sio-edge refused
  does a group keep up?           sio-edge groups
  how do I empty it?              sio-edge seek GROUP --latest --yes
  how do I secure it?             docs/security.md; sio-edge check names what is unsafe

Exit codes: 0 done, 1 failed, 2 wrong command line or configuration, 3 in use by another process, 4 no edge there.`

// parser reads command lines. Flags of the types of settings end up in flags.
func parser(flags flagValues) *kong.Kong {
	return kong.Must(new(cli), append(flags.options(),
		kong.Name("sio-edge"),
		kong.Description(description),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.WithHyphenPrefixedParameters(true), // one session id in 64 begins so
		kong.Bind(flags),
	)...)
}

func main() {
	flags := make(flagValues)
	parser := parser(flags)
	args := joinSids(os.Args[1:])
	ctx, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "sio-edge: %v\n", misread(parser, args, err))
		os.Exit(exitUsage)
	}
	if err := ctx.Run(); err != nil {
		code := exitCode(err)
		if errors.As(err, new(told)) {
			os.Exit(code)
		}
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

// told is an exit code whose reason was printed already.
type told int

func (told) Error() string { return "told" }

// ExitCode is for exitCode.
func (t told) ExitCode() int { return int(t) }

// joinSids puts a sid that begins with a hyphen, as one in 64 does, together with its flag: kong takes
// it for a flag of its own where a flag can be given more than once.
func joinSids(args []string) []string {
	flags := map[string]string{"--sid": "--sid=", "-s": "--sid=", "--except-sid": "--except-sid="}
	var all []string
	for i := 0; i < len(args); i++ {
		flag := flags[args[i]]
		if flag == "" || i+1 == len(args) || !strings.HasPrefix(args[i+1], "-") || strings.HasPrefix(args[i+1], "--") {
			all = append(all, args[i])
			continue
		}
		i++
		all = append(all, flag+args[i])
	}
	return all
}

// misread says what is wrong with a command line, and what was probably meant.
func misread(parser *kong.Kong, args []string, err error) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") || !strings.HasPrefix(err.Error(), "unexpected argument") {
		return fmt.Errorf("%w (see sio-edge --help)", err)
	}
	node, path := parser.Model.Node, "sio-edge"
	for _, word := range args {
		commands := make(map[string]reflect.StructField)
		for _, child := range node.Children {
			commands[child.Name] = reflect.StructField{}
			if child.Name == word {
				node, path = child, path+" "+word
				commands = nil
				break
			}
		}
		if commands != nil && len(node.Children) > 0 && path == "sio-edge" {
			return fmt.Errorf("no command %s%s (see sio-edge --help)", quoted(word), suggestion(word, commands))
		}
		if commands != nil {
			break
		}
	}
	return fmt.Errorf("%w (see %s --help)", err, path)
}

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

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/sio-edge/sio-edge/internal/edge/audit"
)

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Check that nothing in an audit file was changed, put in or taken out."`
}

// Help is shown by --help.
func (auditCmd) Help() string {
	return `Every line of the file ends with a hash of itself and of the hash before it. Lines that were cut off at the end
leave no trace in the file: note the last hash elsewhere from time to time, and give it back as --last.

Examples:
  sio-edge audit verify /var/lib/sio-edge/audit.log
  sio-edge audit verify --last 1f0c…9a /var/lib/sio-edge/audit.log`
}

type auditVerifyCmd struct {
	JSON bool   `name:"json" help:"Print JSON for programs."`
	Last string `help:"A hash that was noted before: it has to be the last." placeholder:"HASH"`
	File string `arg:"" help:"The file of audit-file." type:"existingfile"`
}

// Run reads the file to its end. The edge may be writing to it.
func (c auditVerifyCmd) Run() error {
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := audit.Verify(f)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if c.Last != "" && c.Last != r.Last() {
		return fmt.Errorf("%s: ends with %s: lines are missing or were added since", c.File, r.Last())
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"lines": r.Lines, "last": r.Last(), "torn": r.Torn})
	}
	fmt.Printf("%s: %d lines, each follows from those before it; the last is %s\n", c.File, r.Lines, r.Last())
	if r.Torn {
		fmt.Println("The file ends in the middle of a line: the edge was killed, or is writing.")
	}
	return nil
}

// openAudit returns the audit log, and what to close in the end.
func openAudit(s settings, log *slog.Logger) (*slog.Logger, io.Closer, error) {
	if s.AuditFile == "" {
		return audit.New(log, nil, nil), io.NopCloser(nil), nil
	}
	chain, err := audit.Open(string(s.AuditFile))
	if err != nil {
		return nil, nil, err
	}
	return audit.New(log, chain, &slog.HandlerOptions{ReplaceAttr: redact}), chain, nil
}

package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/sio-edge/sio-edge/internal/edge/audit"
)

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Check that nothing in an audit file was changed, put in or taken out."`
}

// Help is shown by --help.
func (auditCmd) Help() string {
	return `Every line of the file ends with a hash of itself and of the hash before it. Lines that were cut off at the end
leave no trace in the file: note the last hash elsewhere from time to time, and give it back as --last.
Of several files, the oldest first, each has to follow from the one before.

Examples:
  sio-edge audit verify /var/lib/sio-edge/audit.log
  sio-edge audit verify audit.log.2 audit.log.1 audit.log
  sio-edge audit verify --last 1f0c…9a /var/lib/sio-edge/audit.log`
}

type auditVerifyCmd struct {
	JSON  bool     `name:"json" help:"Print JSON for programs."`
	Last  string   `help:"A hash that was noted before: it has to be the last." placeholder:"HASH"`
	Files []string `arg:"" name:"file" help:"The file of audit-file, after those that were rotated away." type:"existingfile"`
}

// Run reads the files to their ends. The edge may be writing to the last.
func (c auditVerifyCmd) Run() error {
	var r audit.Report
	lines := 0
	for i, path := range c.Files {
		next, err := verifyFile(path)
		if err != nil {
			return err
		}
		if i > 0 && next.After != r.Last() {
			return fmt.Errorf("%s does not follow from %s: a file between them is missing, or lines at the end of the first", path, c.Files[i-1])
		}
		r, lines = next, lines+next.Lines
	}
	if c.Last != "" && c.Last != r.Last() {
		return fmt.Errorf("%s: ends with %s: lines are missing or were added since", c.Files[len(c.Files)-1], r.Last())
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"lines": lines, "last": r.Last(), "torn": r.Torn})
	}
	fmt.Printf("%s: %d lines, each follows from those before it; the last is %s\n", strings.Join(c.Files, ", "), lines, r.Last())
	if r.Torn {
		fmt.Println("The file ends in the middle of a line: the edge was killed, or is writing.")
	}
	return nil
}

func verifyFile(path string) (audit.Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return audit.Report{}, err
	}
	defer f.Close()
	r, err := audit.Verify(f)
	if err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// openAudit returns the audit log, and its file to close in the end: nil if it has none.
func openAudit(s settings, log *slog.Logger) (*slog.Logger, *audit.Chain, error) {
	if s.AuditFile == "" {
		return audit.New(log, nil, nil), nil, nil
	}
	chain, err := audit.Open(string(s.AuditFile))
	if err != nil {
		return nil, nil, err
	}
	return audit.New(log, chain, &slog.HandlerOptions{ReplaceAttr: redact}), chain, nil
}

package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/sio-edge/sio-edge/internal/control/access"
)

type tokenCmd struct {
	JSON bool   `name:"json" help:"Print JSON for programs."`
	File string `arg:"" help:"Where the token goes: a new file that only you can read."`
}

// Help is shown by --help.
func (tokenCmd) Help() string {
	return `The token goes into the file, for the caller and its --token-file; its hash is printed, for the tokens of the
caller in the access file of the edge. To replace a token without an interruption, list both hashes until
every process has the new one.

Examples:
  sio-edge token cron.token`
}

// Run makes a token.
func (c tokenCmd) Run() error {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	token := "sioedge_" + base64.RawURLEncoding.EncodeToString(secret)
	f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, token)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", c.File, err)
	}
	hash := sha256.Sum256([]byte(token))
	text := access.TokenPrefix + hex.EncodeToString(hash[:])
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(map[string]string{"file": c.File, "hash": text})
	}
	fmt.Println(text)
	return nil
}

package main

import (
	"log/slog"
	"os"
	"strings"

	"github.com/charmbracelet/x/term"
	"github.com/lmittmann/tint"
)

// logger writes for people on a terminal, as JSON elsewhere, unless the settings say otherwise.
func logger(s settings, level slog.Leveler, f *os.File) *slog.Logger {
	terminal := term.IsTerminal(f.Fd())
	switch {
	case s.LogFormat == "json" || s.LogFormat == "auto" && !terminal:
		return slog.New(slog.NewJSONHandler(f, &slog.HandlerOptions{Level: level, ReplaceAttr: redact}))
	case terminal:
		return slog.New(tint.NewTextHandler(f, &tint.Options{Level: level, ReplaceAttr: redact, TimeFormat: "15:04:05.000", NoColor: os.Getenv("NO_COLOR") != ""}))
	}
	return slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: level, ReplaceAttr: redact}))
}

// levelOf is the level of the settings, which are checked.
func levelOf(s settings) slog.Level {
	var level slog.Level
	level.UnmarshalText([]byte(s.LogLevel))
	return level
}

// secrets are names of attributes whose values must not be in any log: who reads one must not
// become somebody's session or backend. The code logs none of them; this is for the day it does.
var secrets = []string{"auth", "authorization", "cookie", "headers", "metadata", "password", "pid", "query", "secret", "token"}

// redact is a slog.HandlerOptions.ReplaceAttr.
func redact(_ []string, a slog.Attr) slog.Attr {
	name := strings.ToLower(a.Key)
	for _, secret := range secrets {
		if name == secret || strings.HasSuffix(name, "_"+secret) || strings.HasSuffix(name, "-"+secret) {
			return slog.String(a.Key, "***")
		}
	}
	return a
}

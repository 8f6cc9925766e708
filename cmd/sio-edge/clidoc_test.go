package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// The documentation has every subcommand as its help has it.
func TestCommandLineIsDocumented(t *testing.T) {
	documented(t, "../../docs/cli.md", "commands", commandDocs())
}

// Every subcommand has examples, and those that answer have --json.
func TestHelp(t *testing.T) {
	for _, n := range parser(make(flagValues)).Model.Children {
		if !strings.Contains(n.Detail, "Examples:\n  sio-edge") && !strings.Contains(n.Detail, "Examples:\n  source <(sio-edge") {
			t.Errorf("%s --help has no examples", n.Name)
		}
		for _, leaf := range n.Leaves(true) {
			json := slices.ContainsFunc(leaf.Flags, func(f *kong.Flag) bool { return f.Name == "json" })
			if without := slices.Contains([]string{"serve", "completion"}, leaf.Name); json == without {
				t.Errorf("%s: --json: %v", leaf.FullPath(), json)
			}
		}
	}
}

func commandDocs() string {
	var b strings.Builder
	group := ""
	for _, n := range parser(make(flagValues)).Model.Children {
		if g := strings.TrimSuffix(n.Group.Title, ":"); g != group {
			group = g
			fmt.Fprintf(&b, "\n## %s\n", group)
		}
		fmt.Fprintf(&b, "\n### `%s`\n\n%s\n", n.Name, n.Help)
		detail(&b, n.Detail)
		if len(n.Children) > 0 {
			fmt.Fprintf(&b, "\n| Subcommand | |\n| --- | --- |\n")
			for _, child := range n.Children {
				fmt.Fprintf(&b, "| `%s` | %s |\n", usage(child), child.Help)
			}
			for _, child := range n.Children {
				before, _, _ := strings.Cut(child.Detail, "Examples:\n")
				detail(&b, before)
			}
			options(&b, n.Children...)
			continue
		}
		if n.Name == "serve" || n.Name == "check" {
			fmt.Fprintf(&b, "\nFlags: every key of [configuration](configuration.md)%s.\n", map[string]string{"check": ", and `--json`"}[n.Name])
			continue
		}
		fmt.Fprintf(&b, "\nUsage: `%s`\n", usage(n))
		options(&b, n)
	}
	return strings.TrimPrefix(b.String(), "\n")
}

func usage(n *kong.Node) string {
	text := "sio-edge " + n.Name
	if n.Parent.Type == kong.CommandNode {
		text = "sio-edge " + n.Parent.Name + " " + n.Name
	}
	for _, p := range n.Positional {
		name := strings.ToUpper(p.Name)
		if p.IsCumulative() {
			name += " …"
		}
		if !p.Required {
			name = "[" + name + "]"
		}
		text += " " + name
	}
	return text
}

// detail writes what a type's Help says: sentences, then examples.
func detail(b *strings.Builder, text string) {
	sentences, examples, _ := strings.Cut(text, "Examples:\n")
	block := func(lines []string, before string) {
		fmt.Fprint(b, "\n```\n")
		for _, line := range lines {
			fmt.Fprintf(b, "%s%s\n", before, strings.TrimPrefix(line, "  "))
		}
		fmt.Fprint(b, "```\n")
	}
	lines := strings.Split(strings.TrimSpace(sentences), "\n")
	for len(lines) > 0 && lines[0] != "" {
		n := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "  ") != strings.HasPrefix(lines[0], "  ") || l == "" })
		if n < 0 {
			n = len(lines)
		}
		if strings.HasPrefix(lines[0], "  ") {
			block(lines[:n], "")
		} else {
			fmt.Fprintf(b, "\n%s\n", strings.Join(lines[:n], "\n"))
		}
		for lines = lines[n:]; len(lines) > 0 && lines[0] == ""; {
			lines = lines[1:]
		}
	}
	if examples != "" {
		block(strings.Split(strings.TrimRight(examples, "\n"), "\n"), "$ ")
	}
}

// options writes the flags of commands, but for those that all have or that are told above.
func options(b *strings.Builder, nodes ...*kong.Node) {
	common := []string{"help", "control", "timeout", "json", "tls", "tls-ca", "tls-cert", "tls-key", "tls-name", "token-file", "namespace", "room", "sid", "user", "everyone", "except-room", "except-sid"}
	var seen []string
	for _, n := range nodes {
		for _, f := range n.Flags {
			if slices.Contains(common, f.Name) && !(n.Name == "bench" && f.Name == "json") || slices.Contains(seen, f.Name) {
				continue
			}
			if len(seen) == 0 {
				fmt.Fprint(b, "\n| Flag | Default | |\n| --- | --- | --- |\n")
			}
			seen = append(seen, f.Name)
			def := "–"
			if f.HasDefault {
				def = "`" + f.Default + "`"
			}
			name := "--" + f.Name
			if f.Short != 0 {
				name = "-" + string(f.Short) + ", " + name
			}
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, def, strings.ReplaceAll(f.Help, "|", `\|`))
		}
	}
}

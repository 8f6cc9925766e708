package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is shown by --help.
func (completionCmd) Help() string {
	return `Examples:
  source <(sio-edge completion bash)
  sio-edge completion zsh > "${fpath[1]}/_sio-edge"
  sio-edge completion fish > ~/.config/fish/completions/sio-edge.fish`
}

// Run prints the script. It knows what this binary knows: subcommands, what may follow them, and
// their flags.
func (c completionCmd) Run(k *kong.Context) error {
	words := make(map[string][]string) // by subcommand
	var names []string
	for _, top := range k.Model.Children {
		names = append(names, top.Name)
		for _, child := range top.Children {
			words[top.Name] = append(words[top.Name], child.Name)
		}
		var flags []string
		for _, n := range append([]*kong.Node{top}, top.Children...) {
			for _, group := range n.AllFlags(true) {
				for _, f := range group {
					flags = append(flags, "--"+f.Name)
				}
			}
		}
		slices.Sort(flags)
		words[top.Name] = append(words[top.Name], slices.Compact(flags)...)
	}
	switch c.Shell {
	case "bash":
		c.bash(names, words)
	case "zsh":
		fmt.Println("#compdef sio-edge")
		fmt.Println("autoload -U +X bashcompinit && bashcompinit")
		c.bash(names, words)
	case "fish":
		fmt.Println("complete -c sio-edge -f")
		for _, name := range names {
			fmt.Printf("complete -c sio-edge -n __fish_use_subcommand -a %s\n", name)
			for _, word := range words[name] {
				if flag, ok := strings.CutPrefix(word, "--"); ok {
					fmt.Printf("complete -c sio-edge -n '__fish_seen_subcommand_from %s' -l %s\n", name, flag)
				} else {
					fmt.Printf("complete -c sio-edge -n '__fish_seen_subcommand_from %s' -a %s\n", name, word)
				}
			}
		}
	}
	return nil
}

func (completionCmd) bash(names []string, words map[string][]string) {
	fmt.Println("_sio_edge() {")
	fmt.Println(`	local words="--help" cur="${COMP_WORDS[COMP_CWORD]}"`)
	fmt.Printf("\tif [ \"$COMP_CWORD\" = 1 ]; then words=\"%s\"; else case \"${COMP_WORDS[1]}\" in\n", strings.Join(names, " "))
	for _, name := range names {
		fmt.Printf("\t\t%s) words=\"%s\" ;;\n", name, strings.Join(words[name], " "))
	}
	fmt.Println("\tesac; fi")
	fmt.Println(`	COMPREPLY=($(compgen -W "$words" -- "$cur"))`)
	fmt.Println("}\ncomplete -o default -F _sio_edge sio-edge")
}

package main

import (
	"fmt"
	"os"
)

type checkCmd struct {
	Settings settings `embed:""`
}

// Run loads the configuration as serve does, and nothing else.
func (checkCmd) Run(flags flagValues) error {
	if _, err := load(flags, os.Environ); err != nil {
		return configError{err}
	}
	fmt.Println("config: ok")
	return nil
}

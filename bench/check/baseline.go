package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// figure is what is kept of a step.
type figure struct {
	Ratio  float64 `json:"ratio"` // to the calibration loop
	Allocs float64 `json:"allocs"`
}

// baseline is the figures of each step, by the kind of processor.
type baseline map[string]map[string]figure

func readBaseline(file string) (baseline, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var kept baseline
	if err := json.Unmarshal(b, &kept); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return kept, nil
}

func (b baseline) write(file string) error {
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// of returns the figures of one kind of processor; of an unknown one, for each step the largest of
// any, and false.
func (b baseline) of(processor string) (_ map[string]figure, known bool) {
	if own, ok := b[processor]; ok {
		return own, true
	}
	largest := make(map[string]figure)
	for _, figures := range b {
		for step, f := range figures {
			was := largest[step]
			largest[step] = figure{max(was.Ratio, f.Ratio), max(was.Allocs, f.Allocs)}
		}
	}
	return largest, false
}

// processor is the kind of the machine's.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(info)) {
		if model, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.Trim(model, ": \t\n")
		}
	}
	return runtime.GOARCH
}

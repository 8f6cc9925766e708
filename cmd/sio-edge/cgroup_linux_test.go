package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var cgroups atomic.Int64

// cgroup makes a control group with these files in it and returns its directory, "" where that is
// not possible: then a test says what it does instead. controller is "memory" or "cpu".
func cgroup(t *testing.T, controller string, files map[string]string) string {
	t.Helper()
	name := fmt.Sprintf("sio-edge-test-%d-%d", os.Getpid(), cgroups.Add(1))
	dir := filepath.Join("/sys/fs/cgroup", controller, name) // version 1
	v2 := false
	if _, err := os.Stat(filepath.Dir(dir)); err != nil {
		b, err := os.ReadFile("/sys/fs/cgroup/cgroup.subtree_control")
		if err != nil || !strings.Contains(string(b), controller) {
			return ""
		}
		dir, v2 = filepath.Join("/sys/fs/cgroup", name), true
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return ""
	}
	t.Cleanup(func() {
		for range 200 { // what was in it may be ending
			if err := os.Remove(dir); err == nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("%s is left behind", dir)
	})
	for file, value := range files {
		if v2 {
			switch file {
			case "memory.limit_in_bytes":
				file = "memory.max"
			case "cpu.cfs_quota_us":
				file, value = "cpu.max", value+" "+files["cpu.cfs_period_us"]
			case "cpu.cfs_period_us":
				continue
			}
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0o644); err != nil {
			t.Logf("no control group: %v", err)
			return ""
		}
	}
	return dir
}

// within is a command line that runs another in a control group.
func within(dir string) []string {
	return []string{"/bin/sh", "-c", `echo $$ > "$0/cgroup.procs" && exec "$@"`, dir}
}

// cgroupNumber reads a number from a file of a control group of either version.
func cgroupNumber(dir string, files ...string) int64 {
	for _, file := range files {
		name, key, _ := strings.Cut(file, ":")
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			k, v, found := strings.Cut(strings.TrimSpace(line), " ")
			if !found {
				k, v = "", k
			}
			if k == key {
				n, _ := strconv.ParseInt(v, 10, 64)
				return n
			}
		}
	}
	return -1
}

package hostile

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// attackEnv makes a process of these tests the attackers': the addresses of the edge. They have a process of their
// own, of lower priority: in the world they would not have our processors.
const attackEnv = "SIOEDGE_HOSTILE_ATTACK"

// The phases of an attack, which its process tells when they end.
const (
	phase   = "phase: "
	resting = "rest"
	playing = "play"
)

// attacked has all rows played against the edge by another process, and returns how many. ended is told of each phase.
func (e *edge) attacked(t *testing.T, ended func(phase string)) (rows int) {
	t.Helper()
	cmd := exec.Command("nice", "-n", "5", os.Args[0], "-test.run", "^TestRowsBesideGoodClients$", "-test.v", "-test.timeout", "20m")
	cmd.Env = append(os.Environ(), attackEnv+"="+strings.Join([]string{e.clients, e.control, e.ops}, " "))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		if name, ok := strings.CutPrefix(line, phase); ok {
			ended(name)
			continue
		}
		rows += strings.Count(line, "    --- PASS")
		if !strings.HasPrefix(line, "=== ") && !strings.Contains(line, "--- PASS") {
			fmt.Fprintln(&said, line)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the attackers saw something else than they should: %v\n%s%s", err, &said, &errs)
	}
	return rows
}

// batches is how many parts the rows are played in, with rests between them: what else the machine does is
// then in both.
const batches = 4

// attack plays the rows in random order.
func attack(t *testing.T) {
	e := &edge{}
	fmt.Sscan(os.Getenv(attackEnv), &e.clients, &e.control, &e.ops)
	all := slices.DeleteFunc(rows(), func(r row) bool { return r.apart })
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	quick := slices.DeleteFunc(slices.Clone(all), func(r row) bool { return r.slow })
	rounds := 1
	if long() {
		rounds = 10
	}
	rest := func() {
		time.Sleep(2 * time.Second)
		fmt.Println(phase + resting)
	}
	for range rounds {
		var waiting sync.WaitGroup
		for _, r := range all {
			if r.slow { // and does next to nothing meanwhile
				waiting.Go(func() { t.Run(r.name(), func(t *testing.T) { r.play(t, e) }) })
			}
		}
		for batch := range slices.Chunk(quick, len(quick)/batches+1) {
			rest()
			play(t, e, batch)
			fmt.Println(phase + playing)
		}
		waiting.Wait()
		rest()
	}
}

// pace is how often a row begins.
const pace = 20 * time.Millisecond

// play plays rows, at most two at a time.
func play(t *testing.T, e *edge, rows []row) {
	var playing sync.WaitGroup
	next := make(chan row)
	for range 2 {
		playing.Go(func() {
			for r := range next {
				t.Run(r.name(), func(t *testing.T) { r.play(t, e) })
			}
		})
	}
	begin := time.NewTicker(pace)
	defer begin.Stop()
	for _, r := range rows {
		next <- r
		<-begin.C
	}
	close(next)
	playing.Wait()
}

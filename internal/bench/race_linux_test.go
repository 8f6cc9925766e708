//go:build race

package bench

// raceDetector drops what is put into pools, on purpose and at random: allocations say nothing.
const raceDetector = true

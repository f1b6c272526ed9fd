//go:build !race

package testparts

// Race says whether the race detector is at work, which slows tests down and
// sees nothing of the programs that they start.
const Race = false

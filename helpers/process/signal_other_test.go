//go:build unix && !linux

package process_test

// deathSignal says that nothing kills this process with its parent.
const deathSignal = "off"

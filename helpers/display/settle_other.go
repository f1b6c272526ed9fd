//go:build !linux

package display

import "time"

// settle gives GoNB a moment, as only Linux tells whether it has passed on what was printed.
func settle() { time.Sleep(5 * time.Millisecond) }

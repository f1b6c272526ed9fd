//go:build !linux

package display

import "time"

// drain gives the reader of the pipe a moment, as only Linux tells at the writing end what is still unread.
func drain(int) { time.Sleep(2 * time.Millisecond) }

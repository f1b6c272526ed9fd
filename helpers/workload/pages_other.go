//go:build !linux

package workload

// HugePages does nothing on this system. On Linux it asks for larger pages.
func HugePages[T any]([]T) {}

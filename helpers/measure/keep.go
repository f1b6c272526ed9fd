package measure

// Keep makes sure that v is computed. Without a use the compiler may leave out
// the work that leads to a result, and the measured time is that of nothing:
//
//	measure.Case("sum", func() { measure.Keep(sum(numbers)) })
//
// It costs one call, about 2 ns, allocates nothing, does not make v escape to
// the heap and may be used by many goroutines at once.
//
// A call that is not inlined is enough, as the compiler computes every argument
// of such a call. An assignment to a global variable instead would be a data race
// between goroutines, and runtime.KeepAlive, which takes an interface, may
// allocate.
//
//go:noinline
func Keep[T any](v T) {}

//go:build unix

// Package process runs functions in other processes, from a cell as from any
// program: where a crash may not take everything down, where a loop must be
// stopped by force, or where foreign code and its memory have to stay apart.
//
//	var blur = process.Register("blur", func(ctx context.Context, p Picture) (Picture, error) { … })
//
//	pool, err := blur.Start(process.Options{Workers: 2})
//	defer pool.Close()
//	blurred, err := pool.Map(ctx, pictures)
//
// A worker is the same program, started once more. It serves its function from
// within [Register], that is while package-level variables are initialised, and
// never gets to init functions of its package nor to main. All that the function
// refers to is there by then: Go initialises a variable after those that it, or a
// function it mentions, refers to (The Go Programming Language Specification,
// "Package initialization").
//
// Arguments and results travel as [encoding/gob] over a socket of their own;
// stdout and stderr are those of the program, and stdin is empty. Large numeric
// arrays need not travel, see [Share]. Workers end with the program, however it
// ends; an interrupt, which Ctrl-C in a terminal sends to all of them, they leave to
// the program.
//
// The package needs a Unix, as GoNB does.
//
// # Cost
//
// Measured by the benchmarks of this package on two cores of an AMD EPYC that were
// busy with other work as well; run them for the figures of another machine:
//
//   - A small call takes 15 to 28 µs by [Pool.Call], 1.1 to 1.5 times what the same
//     bytes take there and back over a bare socket (BenchmarkCall). By
//     [Pool.Submit] it takes twice as long, as a goroutine has to start and another
//     to wake up.
//   - A pool of two is ready in 4 to 8 ms (BenchmarkStart): the time of a program
//     to start and to initialise the packages that come before its own.
//   - To find the maximum of 100 MB of numbers takes about 100 times as long when
//     they travel by gob, and 30 times as long when they travel as a []byte, which
//     gob copies, as when they are in shared memory (BenchmarkTravel).
//     BenchmarkMaximum compares workers there with goroutines.
//   - A worker takes three file descriptors and one thread of the program, and
//     another thread while it has a task.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// What can be wrong with a task, apart from the error that its function returns
// (which comes back as text) and the end of its context.
var (
	ErrCrashed  = errors.New("the worker crashed")                  // it was killed, exited, or wrote garbage
	ErrPanicked = errors.New("the function panicked")               // the message has its value and stack
	ErrClosed   = errors.New("the pool is closed")                  // before the task was done
	ErrInWorker = errors.New("a worker cannot have workers")        // start pools in the program, not in tasks
	ErrTooLong  = errors.New("the task took longer than its limit") // see Options.Limit
)

// Options say how a pool works. The zero value is good for most.
type Options struct {
	// Workers is how many processes work at once. 0 means one per core that Go
	// uses (GOMAXPROCS).
	Workers int

	// Fresh gives every task a process of its own, which ends with it.
	Fresh bool

	// Limit is how long a task may take. 0 means as long as it likes.
	Limit time.Duration

	// Grace is how long a worker may still take to return after the context of
	// its task has ended, before it is killed. 0 means 100 ms.
	Grace time.Duration
}

const defaultGrace = 100 * time.Millisecond

func (o Options) withDefaults() (Options, error) {
	if o.Workers < 0 || o.Limit < 0 || o.Grace < 0 {
		return o, fmt.Errorf("a negative number or time in %+v: leave it out for the default", o)
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	return o, nil
}

// A Func is a function that workers can run. Make one by [Register].
type Func[In, Out any] struct{ name string }

// names are those registered. Registering happens in one goroutine, before main.
var names = make(map[string]bool)

// Register makes a function known to workers under a name. Call it to initialise
// a package-level variable, and on no condition: a worker starts from the top,
// and serves when it gets here. Elsewhere, and for a name used twice, it panics.
//
// The function runs one task at a time in each worker. Its context ends when
// that of the task does.
func Register[In, Out any](name string, f func(context.Context, In) (Out, error)) *Func[In, Out] {
	switch {
	case name == "" || f == nil:
		panic("process: Register needs a name and a function")
	case names[name]:
		panic(fmt.Sprintf("process: a second function is registered as %q: choose another name", name))
	case !initialising():
		panic(fmt.Sprintf("process: %q is registered too late for a worker to find it: "+
			"write var f = process.Register(…) outside of all functions", name))
	}
	names[name] = true
	if name == role {
		serve(f)
	}
	return &Func[In, Out]{name}
}

// initialising reports whether the caller runs as part of the initialisation of
// a package.
func initialising() bool {
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(1, pc)])
	for {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, "runtime.doInit") {
			return true
		}
		if !more {
			return false
		}
	}
}

// roleVariable tells a process that it is a worker, and of which function.
const roleVariable = "MANYHANDS_PROCESS_WORKER"

// role is the name of the function that this process is a worker for, or empty.
var role = takeRole()

// takeRole hides the role from programs that a worker starts.
func takeRole() string {
	name := os.Getenv(roleVariable)
	os.Unsetenv(roleVariable)
	return name
}

// environment is what a worker for a function gets: GoNB's pipes are between
// the cell and GoNB.
func environment(name string) []string {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "GONB_PIPE") {
			env = append(env, entry)
		}
	}
	return append(env, roleVariable+"="+name)
}

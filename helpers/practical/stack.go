package practical

import (
	"fmt"
	"path"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// answerFile is the file that the grader puts a student's cell into, line for
// line; a notebook's file has other lines than its cells.
const answerFile = "answer.go"

// packageOf returns the import path, with a dot behind, of the package that
// check is written in: that of the student's code.
func packageOf(check func(*T)) string {
	name := runtime.FuncForPC(reflect.ValueOf(check).Pointer()).Name()
	slash := strings.LastIndex(name, "/") + 1
	return name[:slash+strings.Index(name[slash:], ".")+1]
}

// students tells whether a function belongs to the student, not to the checks,
// which are in the same package.
func students(function, pkg string) bool {
	name, ok := strings.CutPrefix(function, pkg)
	return ok && !strings.HasPrefix(name, "Test")
}

// place names a line of the student's code.
func place(function, pkg, file string, line int) string {
	name := strings.ReplaceAll(strings.TrimPrefix(function, pkg), "[...]", "") // type arguments
	if path.Base(file) != answerFile || line == 0 {
		return "in " + name
	}
	return fmt.Sprintf("in %s, line %d", name, line)
}

// panicked says where in the student's code the panic began that a deferred
// function, the caller of panicked, has recovered.
func panicked(pkg string) string {
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for {
		f, more := frames.Next()
		if students(f.Function, pkg) {
			return ", " + place(f.Function, pkg, f.File, f.Line)
		}
		if !more {
			return ""
		}
	}
}

// running describes each goroutine but the caller's that runs code of the
// student's: what it does, and where. Only those count that are in the bubble, see
// [T.Bubble], or outside of all, as [bubble] says it; "" means wherever they are.
func running(pkg, where string) []string {
	var found []string
	for _, stack := range stacks() {
		state := stateOf(stack)
		there := strings.HasSuffix(state, where)
		if where == outside {
			there = !strings.Contains(state, "synctest bubble")
		}
		if at := studentsFrame(stack, pkg); at != "" && there {
			state, _, _ = strings.Cut(state, ",")          // how long it has been so
			state, _, _ = strings.Cut(state, " (durable)") // in a bubble
			found = append(found, state+" "+at)
		}
	}
	return found
}

// stateOf returns what a goroutine does, as its stack begins with:
// "chan receive (durable), 2 minutes, synctest bubble 3".
func stateOf(stack string) string {
	_, state, _ := strings.Cut(stack, "[")
	state, _, _ = strings.Cut(state, "]")
	return state
}

// outside is where a goroutine is that is in no bubble.
const outside = "outside"

// bubble returns how the state of goroutines ends that are in the caller's bubble,
// or outside.
func bubble() string {
	own := make([]byte, 1<<10)
	_, bubble, inside := strings.Cut(stateOf(string(own[:runtime.Stack(own, false)])), ", synctest ")
	if !inside {
		return outside
	}
	return bubble
}

// stacks returns the stack of each goroutine but the caller's, all of one moment.
func stacks() []string {
	text := make([]byte, 1<<20)
	text = text[:runtime.Stack(text, true)]
	return strings.Split(string(text), "\n\n")[1:] // the caller's is the first
}

// studentsFrame returns the innermost place of the student's code in a
// goroutine's stack, as package runtime prints it; "" where there is none. One in
// the student's own file goes before one in given code.
func studentsFrame(stack, pkg string) string {
	found := ""
	lines := strings.Split(stack, "\n")
	for i := 1; i+1 < len(lines); i += 2 {
		function, _, _ := strings.Cut(strings.TrimPrefix(lines[i], "created by "), " in goroutine")
		if end := strings.LastIndex(function, "("); end > 0 && strings.HasSuffix(function, ")") {
			function = function[:end] // without the arguments
		}
		if students(function, pkg) {
			file, rest, _ := strings.Cut(strings.TrimSpace(lines[i+1]), ":")
			number, _, _ := strings.Cut(rest, " ")
			line, _ := strconv.Atoi(number)
			if line == 1 {
				line = 0 // so Go says of an empty loop, wherever it is
			}
			if path.Base(file) == answerFile {
				return place(function, pkg, file, line)
			}
			if found == "" {
				found = place(function, pkg, file, line)
			}
		}
	}
	return found
}

// list writes what running found, the first few, a line each.
func list(goroutines []string) string {
	var b strings.Builder
	for i, g := range goroutines {
		if i == 3 {
			fmt.Fprintf(&b, "\nand %d more", len(goroutines)-i)
			break
		}
		b.WriteString("\n" + g)
	}
	return b.String()
}

// MostAtOnce runs f and returns how many goroutines were seen at most, at one
// moment of it, inside the function with that name ("workload.Blur"), running or
// about to. It tells what is done in parallel on a machine of any speed and with
// any load; what waits, for a lock before the call for instance, is not inside.
// Where Go uses one core it returns -1, as goroutines then take turns.
func (t *T) MostAtOnce(function string, f func()) int {
	if runtime.GOMAXPROCS(0) < 2 {
		f()
		return -1
	}
	stop, most := make(chan struct{}), make(chan int, 1)
	go func() {
		n := 0
		stacks := make([]byte, 1<<18)
		for {
			select {
			case <-stop:
				most <- n
				return
			case <-time.After(50 * time.Microsecond):
			}
			inside := 0
			for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
				head, frames, _ := strings.Cut(stack, "\n")
				if strings.Contains(head, "[run") && strings.Contains(frames, function+"(") { // [running] or [runnable]
					inside++
				}
			}
			n = max(n, inside)
		}
	}()
	func() {
		defer close(stop) // f may end by Fatalf
		f()
	}()
	return <-most
}

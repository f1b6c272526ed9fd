// Package doctor looks at what the course needs on this machine and says, in
// one line each, what is there, what is missing, what that costs and which
// command gets it.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"manyhands/internal/course"
)

// State says how a part of the machine is.
type State int

// The states, from good to bad.
const (
	OK      State = iota
	Missing       // the course runs, with less
	Broken        // the course cannot run
)

// Finding is what the doctor found out about one part.
type Finding struct {
	State  State
	Name   string // "C compiler"
	Detail string // what is there, such as a version, or what is wrong
	For    string // what it is needed for
	Get    string // the command, or the way, to get it; empty where the course does that by itself
}

// String is the finding on one line.
func (f Finding) String() string {
	mark := [...]string{OK: "✓", Missing: "!", Broken: "✗"}[f.State]
	line := fmt.Sprintf("%s %s: %s", mark, f.Name, f.Detail)
	if f.State == OK {
		return line
	}
	line += "; needed for " + f.For
	if f.Get != "" {
		line += "; get it: " + f.Get
	}
	return line
}

// limit is how long one part may take to be looked at.
const limit = 30 * time.Second

// Check looks at every part at once. It changes nothing, and takes as long as
// the slowest program takes to tell its version.
func Check(ctx context.Context, c *course.Course) []Finding {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	checks := []func(context.Context, *course.Course) Finding{
		checkGo, checkMachine, checkSpace,
		checkKernel, checkBuildCache, checkCompiler,
		checkPython, checkEnvironment, checkKernelspec,
		checkGit, checkSandbox, checkRedis, checkFFmpeg, checkChromium,
	}
	findings := make([]Finding, len(checks))
	var wg sync.WaitGroup
	for i, check := range checks {
		wg.Go(func() { findings[i] = check(ctx, c) })
	}
	wg.Wait()
	return findings
}

// Print writes the findings one a line, the mark in colour where wanted.
func Print(w io.Writer, findings []Finding, colour bool) error {
	for _, f := range findings {
		line := f.String()
		if mark, rest, ok := strings.Cut(line, " "); ok && colour {
			code := [...]int{OK: 32, Missing: 33, Broken: 31}[f.State]
			line = fmt.Sprintf("\x1b[%dm%s\x1b[0m %s", code, mark, rest)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// Verdict is an error when one of the findings keeps the course from running.
func Verdict(findings []Finding) error {
	var errs []error
	for _, f := range findings {
		if f.State == Broken {
			errs = append(errs, fmt.Errorf("%s: %s", f.Name, f.Detail))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("the course cannot run on this machine yet: %w", errors.Join(errs...))
}

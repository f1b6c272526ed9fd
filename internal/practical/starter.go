package practical

import (
	"errors"
	"strings"
)

// The marks in a solution: what stands between the first two is the solution's,
// what stands between the last two, as comments, the starter's.
const (
	beginSolution = "// BEGIN SOLUTION"
	beginStarter  = "// STARTER"
	endSolution   = "// END SOLUTION"
)

// Starter returns what students begin with.
func (q *Question) Starter() string {
	if q.Written {
		return "*Your answer here.*"
	}
	starter, _, _ := cut(q.Cell.Source) // Read has found no mistake
	return starter
}

// Solved returns the solution without its marks and without the starter.
func (q *Question) Solved() string {
	if q.Written {
		return q.Cell.Source
	}
	_, solution, _ := cut(q.Cell.Source)
	return solution
}

// cut cuts a solution cell into the starter and the solution.
func cut(source string) (starter, solution string, err error) {
	const both, ours, theirs = 0, 1, 2
	var s, f []string // the starter's lines and the solution's
	state, cuts := both, 0
	for line := range strings.SplitSeq(source, "\n") {
		switch mark := strings.TrimSpace(line); {
		case mark == beginSolution && state == both:
			state, cuts = ours, cuts+1
		case mark == beginStarter && state == ours:
			state = theirs
		case mark == endSolution && state != both:
			state = both
		case mark == beginSolution, mark == beginStarter, mark == endSolution:
			return "", "", errors.New("the marks " + beginSolution + ", " + beginStarter + ", " + endSolution + " must follow each other in this order")
		case state == both:
			s, f = append(s, line), append(f, line)
		case state == ours:
			f = append(f, line)
		default:
			code, ok := strings.CutPrefix(mark, "//")
			if !ok {
				return "", "", errors.New("the starter's lines must be comments, as the solution is compiled: " + mark)
			}
			indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
			s = append(s, strings.TrimRight(indent+strings.TrimPrefix(code, " "), " \t"))
		}
	}
	switch {
	case state != both:
		return "", "", errors.New("the solution has no end; close it with a line " + endSolution)
	case cuts == 0:
		return "", "", errors.New("nothing is marked to be cut: put a line " + beginSolution + " before what students write")
	}
	return strings.Join(s, "\n"), strings.Join(f, "\n"), nil
}

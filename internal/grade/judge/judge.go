// Package judge is the grader's end inside the program that holds a student's
// code: it runs the criteria that it is told to, and reports each.
//
// A verdict must not be forgeable by the code that is judged, which runs in the
// same process. So the report goes to a file descriptor of its own, under a key
// that comes in through standard input before any of the student's code runs,
// and lies in a variable that no package can name; what the student's code may
// import cannot write to a descriptor or read memory. A criterion counts as
// passed only by its own record: a program that exits, prints PASS or dies has
// written none.
package judge

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"manyhands/helpers/practical"
	"manyhands/internal/grade/perturb"
)

// ReportFD is the descriptor that records are written to, one JSON object a
// line.
const ReportFD = 3

// A Plan is what a run has to do.
type Plan struct {
	Key      string
	Criteria []string // "question/Test/name", in order
	Limit    time.Duration
	Seed     uint64 // for package perturb

	FileSize  uint64 // the most bytes a file may have; 0 for no limit
	Processes uint64 // the most processes and threads of the user; 0 for no limit
}

// A Record says what became of a criterion. The last record of a run that came
// to its end has the event Done.
type Record struct {
	Key       string
	Event     Event
	Criterion string        `json:",omitempty"`
	Passed    bool          `json:",omitempty"`
	Messages  []string      `json:",omitempty"`
	Took      time.Duration `json:",omitempty"`
}

// Event is what a record tells.
type Event string

// The events of a run.
const (
	Begin Event = "begin"
	End   Event = "end"
	Done  Event = "done"
)

// Main is the TestMain of the program. A run ends with the first criterion that
// is not met, as the goroutines of a wrong answer may disturb what follows; the
// grader starts another one for the rest.
func Main(m *testing.M) {
	input, err := io.ReadAll(os.Stdin)
	var plan Plan
	if err == nil {
		err = json.Unmarshal(input, &plan)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "this program is for the grader only:", err)
		os.Exit(2)
	}
	unix.CloseOnExec(ReportFD) // not for worker processes
	limit(plan)
	j := &judge{plan: plan, out: os.NewFile(ReportFD, "report")}
	practical.SetJudge(j)
	m.Run()
	j.write(Record{Event: Done})
	os.Exit(0)
}

// limit takes from this process what no answer needs.
func limit(plan Plan) {
	set := func(resource int, n uint64) { unix.Setrlimit(resource, &unix.Rlimit{Cur: n, Max: n}) }
	set(unix.RLIMIT_CORE, 0)
	if plan.FileSize > 0 {
		set(unix.RLIMIT_FSIZE, plan.FileSize)
	}
	if plan.Processes > 0 {
		set(unix.RLIMIT_NPROC, plan.Processes)
	}
}

type judge struct {
	plan  Plan
	out   *os.File
	start time.Time
}

func (j *judge) Limit() time.Duration { return j.plan.Limit }

func (j *judge) Begin(criterion string) bool {
	criterion = name(criterion)
	if !slices.Contains(j.plan.Criteria, criterion) {
		return false
	}
	perturb.Seed(j.plan.Seed) // a criterion is delayed the same way whatever ran before it
	j.start = time.Now()
	j.write(Record{Event: Begin, Criterion: criterion})
	return true
}

func (j *judge) End(criterion string, passed bool, messages []string) {
	j.write(Record{Event: End, Criterion: name(criterion), Passed: passed, Messages: messages, Took: time.Since(j.start)})
	if !passed {
		os.Exit(0)
	}
}

// name takes off the name of the test that holds all questions.
func name(criterion string) string {
	_, rest, _ := strings.Cut(criterion, "/")
	return rest
}

func (j *judge) write(r Record) {
	r.Key = j.plan.Key
	line, err := json.Marshal(r)
	if err == nil {
		_, err = j.out.Write(append(line, '\n'))
	}
	if err != nil {
		os.Exit(2) // nobody would know
	}
}

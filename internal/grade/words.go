package grade

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// explain says in words why a program did not come to its end: killed for a
// cause, or ended by err, having printed output.
func explain(cause, err error, output string) string {
	switch {
	case errors.Is(cause, errMemory), errors.Is(cause, errOutput), errors.Is(cause, errSilence):
		return cause.Error()
	case strings.Contains(output, "WARNING: DATA RACE"):
		return explainRace(output)
	}
	if m := fatalLine.FindStringSubmatch(output); m != nil {
		why := m[1] + m[2]
		if strings.Contains(why, "all goroutines are asleep") {
			why = "deadlock: every goroutine waits for another"
		}
		return why + at(output[strings.Index(output, m[0]):])
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "the program ended before the check was done: " + exit.String()
	}
	return "the program ended before the check was done"
}

var (
	fatalLine  = regexp.MustCompile(`(?m)^(panic: |fatal error: )(.{1,300})`)
	answerLine = regexp.MustCompile(`/submission/[^/\s]+/` + regexp.QuoteMeta(answerFile) + `:(\d+)`)
	accessLine = regexp.MustCompile(`(?m)^\s*(?i)(previous )?(atomic )?(read|write) at`)
)

// at names the first line of the answer in a trace.
func at(trace string) string {
	if m := answerLine.FindStringSubmatch(trace); m != nil {
		return " (line " + m[1] + ")"
	}
	return ""
}

// explainRace puts a report of the race detector into words.
func explainRace(output string) string {
	_, report, _ := strings.Cut(output, "WARNING: DATA RACE")
	report, _, _ = strings.Cut(report, "==================")
	accesses := accessLine.FindAllStringSubmatchIndex(report, -1)
	if len(accesses) < 2 {
		return "data race: two goroutines use the same variable at the same time, and at least one writes to it"
	}
	if !answerLine.MatchString(report[:max(strings.Index(report, " created at:"), 0)]) {
		return "data race: two goroutines use the same variable, or the same WaitGroup, in no order" + at(report)
	}
	describe := func(i, end int) string {
		m := accesses[i]
		kind := strings.ToLower(report[m[6]:m[7]]) + "s"
		stack, _, _ := strings.Cut(report[m[0]:end], "\n\n")
		if where := answerLine.FindStringSubmatch(stack); where != nil {
			return fmt.Sprintf("%s it in line %s", kind, where[1])
		}
		return kind + " it outside of your answer"
	}
	return fmt.Sprintf("data race: one goroutine %s, another %s, and nothing (a lock, a channel, a Wait) orders the two",
		describe(1, len(report)), describe(0, accesses[1][0]))
}

// traceLines is the most lines of a trace that a student gets to see.
const traceLines = 40

// trace returns the part of a program's output that tells of its end, a race
// report or a panic, without what is not the student's: addresses and the
// checks' own frames.
func trace(output string) string {
	start := strings.Index(output, "WARNING: DATA RACE")
	if start < 0 {
		m := fatalLine.FindStringIndex(output)
		if m == nil {
			return ""
		}
		start = m[0]
	}
	var lines []string
	skip := false // the line with the place of a frame that was left out
	for line := range strings.SplitSeq(output[start:], "\n") {
		if strings.HasPrefix(line, "======") || len(lines) == traceLines {
			break
		}
		if skip {
			skip = false
			continue
		}
		if hiddenFrame.MatchString(line) {
			skip = true
			continue
		}
		line = address.ReplaceAllString(line, "")
		lines = append(lines, strings.ReplaceAll(line, "manyhands/internal/grade/submission/", ""))
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

var (
	hiddenFrame = regexp.MustCompile(`^\s*(created by )?(manyhands/\S*\.Test|manyhands/(helpers/practical|internal/grade/(judge|perturb))\.|testing\.)`)
	address     = regexp.MustCompile(`( \+0x[0-9a-f]+|0x[0-9a-f]{6,}|\(\))`)
)

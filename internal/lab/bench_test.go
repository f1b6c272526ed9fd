package lab_test

import (
	"bufio"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"manyhands/helpers/measure"
	"manyhands/internal/benchtest"
	"manyhands/internal/browsertest"
	"manyhands/internal/course"
)

// BenchmarkSecondStart is the time from `go run .` on a course that was set up
// before until the address is printed, until the page is there, and until the
// first notebook has a kernel that waits for a cell.
func BenchmarkSecondStart(b *testing.B) {
	c := newCourse(b)
	borrow(b, c)
	_, text := lesson(b, "00-welcome.ipynb")
	write(b, c.Path("notebooks", "00-welcome.ipynb"), text)
	tab := browsertest.Open(b)
	secondStart(b, c, tab) // the first, which compiles the command
	rounds := 6
	if testing.Short() {
		rounds = 1
	}
	var printed, page, idle []float64
	for range rounds {
		times := secondStart(b, c, tab)
		printed, page, idle = append(printed, times[0]), append(page, times[1]), append(idle, times[2])
	}
	benchtest.Figure{Title: "a second start"}.Compare(b,
		measure.Samples("until a kernel is idle", idle...),
		measure.Samples("until the page is there", page...),
		measure.Samples("until the address is printed", printed...))
}

// secondStart returns the three times, in seconds.
func secondStart(b *testing.B, c *course.Course, tab *browsertest.Tab) (times [3]float64) {
	b.Helper()
	began := time.Now()
	lab := exec.Command("go", "run", ".", "--no-browser")
	lab.Dir, lab.Stderr = c.Root, b.Output()
	lab.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := lab.StdoutPipe()
	if err == nil {
		err = lab.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	defer lab.Wait()
	defer syscall.Kill(-lab.Process.Pid, syscall.SIGINT) // a Ctrl-C
	at := ""
	for lines := bufio.NewScanner(out); at == "" && lines.Scan(); {
		at = address.FindString(lines.Text())
	}
	if at == "" {
		b.Fatal("the lab printed no address")
	}
	times[0] = time.Since(began).Seconds()
	tab.Do(chromedp.Navigate(at))
	tab.Wait(time.Minute, `!!document.querySelector(".jp-LabShell") && !document.querySelector("#jupyterlab-splash")`)
	times[1] = time.Since(began).Seconds()
	tab.Wait(time.Minute, idleInLab)
	times[2] = time.Since(began).Seconds()
	return times
}

package site_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"manyhands/helpers/chart"
	"manyhands/helpers/measure"
	"manyhands/helpers/timeline"
	"manyhands/internal/course"
	"manyhands/internal/echarts"
	"manyhands/internal/lesson"
	"manyhands/internal/notebook"
)

const threads = `---
title: Threads
minutes: 45
needs: [01-serial]
---

# Threads

Five calls, each waiting three seconds: in a row they take fifteen. Start all five before waiting for any,
and the whole thing takes three. This lesson finds out what was gained, and *why it stops being a gain* when the
calls stop waiting and start computing. It builds on [a serial program](01-serial.md#measuring-honestly).


## One goroutine for each call

A goroutine is a function that runs beside the one that started it. ` + "`sync.WaitGroup`" + ` counts those that have not
ended; ` + "`Wait`" + ` returns when there are none.[^csp] Compare with [five in a row](#five-in-a-row).

[^csp]: The idea is older than Go: C. A. R. Hoare, *Communicating Sequential Processes*, 1978.

` + "```go id=\"at-once\"\n" + `import (
	"fmt"
	"sync"
	"time"
)

// slow stands for any call that waits: a disk, a server, a person.
func slow(x int) int {
	time.Sleep(3 * time.Second)
	return x * x
}

%%
var wg sync.WaitGroup
start := time.Now()
for i := range 5 {
	wg.Go(func() { fmt.Printf("slow(%d) = %d\n", i, slow(i)) })
}
wg.Wait()
fmt.Printf("all five: %.2f s\n", time.Since(start).Seconds())
` + "```" + `

> [!NOTE]
> The results come in **any order**. Nothing in the program says who shall be first, and so nobody is.

### Five in a row

The same five calls, one after the other, and both timed nine times in turn:

` + "```go id=\"compare\"\n" + `%%
comparison := measure.Compare(
	measure.Case("in a row", func() { for i := range 5 { slow(i) } }),
	measure.Case("five at once", func() { atOnce(5) }),
)
fmt.Print(comparison)
chart.Bars(comparison).Show()
fmt.Println("printed after the chart")
` + "```" + `

And what each goroutine did while it ran:

` + "```go id=\"lanes\" tags=[\"hide-input\"]\n" + `%%
chart.Lanes(recorder.Timeline()).Show()
` + "```" + `

## What Python's threads do

| language | waits at once | computes at once |
|:--|--:|--:|
| Go | yes | yes |
| Python with a global lock | yes | no |

` + "```go id=\"in-go\"\n" + `%%
atOnce(5)
` + "```" + `

` + "```go id=\"python\" tags=[\"python\"]\n" + `%%script python3
import threading, time

def slow(x):
    """Waits, as a server's client does."""
    time.sleep(3)
    return x * x

threads = [threading.Thread(target=slow, args=(i,)) for i in range(5)]
start = time.perf_counter()
for t in threads: t.start()
for t in threads: t.join()
print(f"all five: {time.perf_counter() - start:.2f} s")
` + "```" + `

` + "```go id=\"shell\"\n" + `%%bash
# how many threads does this process have?
grep Threads /proc/self/status | awk '{ print $2 }'
` + "```" + `

> [!WARNING]
> A goroutine that nobody waits for is still running when the program ends, and its result is lost.


## When it goes wrong

An unlocked counter, watched by the race detector:

` + "```go id=\"race\" tags=[\"raises-exception\"]\n" + `%%
n := 0
var wg sync.WaitGroup
for range 2 {
	wg.Go(func() { n++ })
}
wg.Wait()
` + "```" + `

` + "```go id=\"panic\" tags=[\"raises-exception\"]\n" + `%%
var m map[string]int
m["answer"] = 42 // assignment to entry in nil map
` + "```" + `

The gain of $n$ workers is at most $S(n) = \frac{1}{(1-p) + p/n}$, and a coffee is $5 or $6.

$$
T_n = T_1 \left( s_1 + \frac{1 - s_1}{n} \right)
$$

<!-- #region tags=["exercise"] -->
Start **fifty** calls at once. How long do they take? And a million?

- [x] fifty
- [ ] a million
<!-- #endregion -->

<!-- #region tags=["hint"] -->
What does a goroutine that sleeps need from a core?
<!-- #endregion -->

` + "```go id=\"answer\" tags=[\"solution\"]\n" + `%%
atOnce(50)
` + "```" + `

<details><summary>More about stacks</summary>

A goroutine's stack starts at **8 kB** and grows. See [the processes](07-processes.md), not yet written.

</details>

` + "```go id=\"python-picture\"\n" + `%%script python3
import matplotlib.pyplot as plt
plt.imshow(mandelbrot)
` + "```" + `
`

const serial = `---
title: Serial
minutes: 30
---

# One thing after another

The program that everybody writes first: do this, then that. It is the measure for all that follows.

## Measuring honestly

Repeat, take the median, say how far the repeats lie apart. Next: [threads](02-threads.ipynb).

` + "```go\n" + `fmt.Println("hello")
` + "```\n"

const pools = `---
title: Pools
minutes: 40
---

# Pools and *limits*

A few workers, many jobs.
`

const processes = `---
title: Processes
minutes: 30
---

# Processes

Not built yet.
`

const guide = `# How to write a lesson

Read [the model](02-threads.md#one-goroutine-for-each-call) and [the tags](tags.txt) first.

## The shape

A question that the reader can answer wrongly.
`

// edition is what the build writes into a notebook.
var edition = map[string]any{
	"cpu": "AMD EPYC 9354P", "cores": 2, "go": "go1.26.8", "gonb": "v0.11.4", "date": "2026-11-21T20:10:00Z", "os": "Linux", "memory": 23,
}

// sample is three lessons as notebooks with the outputs of a real run, charts
// by the course's own helpers among them. They are made once.
var sample = sync.OnceValues(func() (map[string]*notebook.Notebook, error) {
	all := map[string]*notebook.Notebook{}
	for name, source := range map[string]string{"01-serial": serial, "02-threads": threads, "04-pools": pools} {
		l, err := lesson.Parse(name+".md", []byte(source))
		if err != nil {
			return nil, err
		}
		all[name] = l.Notebook()
		all[name].Metadata["manyhands"].(map[string]any)["edition"] = edition
	}
	nb := all["02-threads"]
	var recorder timeline.Recorder
	comparison := measure.Compare(
		measure.Case("in a row", func() { work(new(timeline.Recorder), 1) }),
		measure.Case("five at once", func() { work(&recorder, 5) }),
	)
	bars, err := bundle(chart.Bars(comparison))
	if err != nil {
		return nil, err
	}
	lanes, err := bundle(chart.Lanes(recorder.Timeline()))
	if err != nil {
		return nil, err
	}
	outputs := map[string][]notebook.Output{
		"at-once": {stream("stdout", "slow(4) = 16\nslow(0) = 0\nslow(2) = 4\n"), stream("stdout", "slow(1) = 1\nslow(3) = 9\nall five: 3.00 s\n")},
		"compare": {stream("stdout", comparison.String()), bars, stream("stdout", "printed after the chart\n")},
		"lanes":   {lanes},
		"python":  {stream("stdout", "all five: 3.01 s\n"), stream("stderr", "DeprecationWarning: \x1b[33mthe lock is on its way out\x1b[0m\n")},
		"shell":   {stream("stdout", "progress   1%\rprogress 100%\n\x1b[1;32mok\x1b[0m  \x1b[38;5;208mmanyhands\x1b[0m 0.012s\n1\n")},
		"race": {stream("stderr", raceReport), {Type: notebook.Error, EName: "ERROR", EValue: "exit status 66",
			Traceback: []string{"exit status 66"}}},
		"panic": {{Type: notebook.Error, EName: "ERROR", EValue: "exit status 2", Traceback: []string{
			"\x1b[31mpanic\x1b[0m: assignment to entry in nil map", "", "goroutine 1 [running]:", "main.main()", "\t \x1b[7m[[ Cell [9] Line 3 ]]\x1b[0m /gonb/main.go:28 +0x2c", "exit status 2"}}},
		"python-picture": {{Type: notebook.ExecuteResult, Data: map[string]any{"text/plain": "<matplotlib.image.AxesImage>"}},
			{Type: notebook.DisplayData, Data: map[string]any{"image/png": mandelbrot(), "text/plain": "<Figure size 640x240>"}},
			{Type: notebook.DisplayData, Data: map[string]any{"text/html": `<table border="1"><thead><tr><th></th><th>task</th><th>seconds</th></tr></thead><tbody><tr><th>0</th><td>in a row</td><td>15.02</td></tr><tr><th>1</th><td>at once</td><td>3.01</td></tr></tbody></table>`}}},
	}
	for _, cell := range nb.Cells {
		cell.Outputs = outputs[cell.ID]
		delete(outputs, cell.ID)
	}
	if len(outputs) > 0 {
		return nil, fmt.Errorf("no cells for the outputs %v", maps.Keys(outputs))
	}
	renderer, err := echarts.NewRenderer()
	if err != nil {
		return nil, err
	}
	return all, echarts.Illustrate(nb, renderer)
})

func work(recorder *timeline.Recorder, workers int) {
	queue := make(chan int, 5)
	for i := range 5 {
		queue <- i
	}
	close(queue)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range queue {
				span := recorder.Start(fmt.Sprint("worker ", w), fmt.Sprintf("slow(%d)", i))
				<-time.After(5 * time.Millisecond)
				span.End()
			}
		})
	}
	wg.Wait()
}

func stream(name, text string) notebook.Output {
	return notebook.Output{Type: notebook.Stream, Name: name, Text: text}
}

func bundle(c chart.Chart) (notebook.Output, error) {
	data, err := c.Bundle()
	return notebook.Output{Type: notebook.DisplayData, Data: data}, err
}

func mandelbrot() string {
	picture := image.NewGray(image.Rect(0, 0, 640, 240))
	for y := range 240 {
		for x := range 640 {
			c := complex(float64(x)/200-2.4, float64(y)/100-1.2)
			n, z := 0, complex128(0)
			for ; n < 60 && real(z)*real(z)+imag(z)*imag(z) < 4; n++ {
				z = z*z + c
			}
			picture.SetGray(x, y, color.Gray{uint8(255 - 4*n)})
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(out.Bytes())
}

const raceReport = `==================
WARNING: DATA RACE
Read at 0x00c000012108 by goroutine 8:
  main.main.func1()
       [[ Cell [8] Line 5 ]] /gonb/main.go:31 +0x2e
  sync.(*WaitGroup).Go.func1()
      /usr/local/go/src/sync/waitgroup.go:258 +0x5d

Previous write at 0x00c000012108 by goroutine 7:
  main.main.func1()
       [[ Cell [8] Line 5 ]] /gonb/main.go:31 +0x44
==================
Found 1 data race(s)
`

// sampleCourse writes the sample as a course.
func sampleCourse(t testing.TB) *course.Course {
	t.Helper()
	notebooks, err := sample()
	if err != nil {
		t.Fatal(err)
	}
	c := newCourse(t, notebooks)
	writeFile(t, c.Path("lessons", "07-processes.md"), processes)
	writeFile(t, c.Path("lessons", "02-threads.md"), threads)
	writeFile(t, c.Path("lessons", "README.md"), guide)
	if err := os.MkdirAll(c.Path("notebooks", "practicals"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := practical().Write(c.Path("notebooks", "practicals", "1-pools.ipynb")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, c.Path("lessons", "tags.txt"), "hint")
	return c
}

// practical is a practical as students get it, with nbgrader's metadata.
func practical() *notebook.Notebook {
	nb := notebookOf("# Practical 1: pools\n\nTwo questions.", "## 1. A pool\n\nSee [the lesson](../02-threads.ipynb#five-in-a-row).", "## 2. In words", "*Your answer here.*")
	for i, code := range []*notebook.Notebook{codeCell("func Pool() {\n\t// Your code here.\n}", nil), codeCell("%test\nfunc TestPool(t *testing.T) {}", nil)} {
		cell := code.Cells[0]
		cell.ID = fmt.Sprint("pool-", i)
		cell.Metadata = map[string]any{"nbgrader": map[string]any{"grade": i == 1, "grade_id": cell.ID, "locked": i == 1, "solution": i == 0, "points": 4, "schema_version": 3, "task": false}}
		nb.Cells = slices.Insert(nb.Cells, 2+i, cell)
		nb.Metadata = code.Metadata
	}
	nb.Metadata["manyhands"] = map[string]any{"minutes": 90, "needs": []any{"02-threads"}}
	nb.Cells[5].Metadata = map[string]any{"nbgrader": map[string]any{"grade": true, "grade_id": "words", "locked": false, "solution": true, "points": 1, "schema_version": 3, "task": false}}
	return nb
}

// newCourse writes a course of notebooks.
func newCourse(t testing.TB, notebooks map[string]*notebook.Notebook) *course.Course {
	t.Helper()
	c := &course.Course{Root: filepath.Join(t.TempDir(), "a course")}
	writeFile(t, c.Path("go.mod"), "module manyhands\n")
	for _, dir := range []string{"lessons", "notebooks"} {
		if err := os.MkdirAll(c.Path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, nb := range notebooks {
		var file strings.Builder // not nb.Write: hundreds of safe writes take seconds
		if err := nb.Encode(&file); err != nil {
			t.Fatal(err)
		}
		writeFile(t, c.Path("notebooks", name+".ipynb"), file.String())
	}
	return c
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// notebookOf is a notebook of Markdown cells, each after the other.
func notebookOf(sources ...string) *notebook.Notebook {
	nb := notebook.New()
	for i, source := range sources {
		nb.Cells = append(nb.Cells, &notebook.Cell{ID: fmt.Sprint("cell-", i+1), Type: notebook.Markdown, Source: source, Metadata: map[string]any{}})
	}
	return nb
}

// readFile returns a file of a rendered site.
func readFile(t testing.TB, elem ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

package grade_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"manyhands/internal/course"
	"manyhands/internal/grade"
	"manyhands/internal/practical"
	"manyhands/internal/testparts"
)

// first returns a grader of practical 1, quick to lose patience.
func first(t testing.TB, opt grade.Options) *grade.Grader {
	t.Helper()
	return grader(t, "1-threads-and-pools", opt)
}

// grader returns a grader of a practical.
func grader(t testing.TB, name string, opt grade.Options) *grade.Grader {
	t.Helper()
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	p, err := practical.Read(c.Path("lessons", "practicals", name+".md"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := grade.New(t.Context(), c, p, opt)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// seesNothing skips a test of what students' programs do, which are built with the
// race detector in any case, where it looks at the grader itself.
func seesNothing(t *testing.T) {
	if testparts.Race {
		t.Skip("the race detector does not see into other programs")
	}
}

// said joins all that a student is told about a question.
func said(q *grade.Graded) string {
	all := slices.Clone(q.Notes)
	for _, m := range q.Marks {
		all = append(all, m.Why...)
	}
	return strings.Join(all, "\n")
}

// right is an answer to question at-once that gets all points.
const right = "func AtOnce(n int, task func(i int)) {\n\tvar g sync.WaitGroup\n\tfor i := range n {\n\t\tg.Go(func() { task(i) })\n\t}\n\tg.Wait()\n}\n"

// TestRefused has what is found without running anything: the answer gets no
// point, and the student a reason.
func TestRefused(t *testing.T) {
	t.Parallel()
	g := first(t, grade.Options{})
	for name, test := range map[string]struct{ cell, want string }{
		"nothing":              {"", "no answer"},
		"only comments":        {"// I do not know.", "no answer"},
		"another language":     {"%%bash\nrm -rf /", "another language"},
		"no Go":                {"def AtOnce(n, task):", "line 1: this is not Go"},
		"forks":                {"import \"syscall\"\n" + right, `imports "syscall"`},
		"network":              {"import \"net\"\n" + right, `imports "net"`},
		"files":                {"import \"os\"\n" + right, `imports "os", which this question has no use for`},
		"processes":            {"import (\n\"sync\"\n\"os/exec\"\n)\n" + right, `line 3: the answer imports "os/exec"`},
		"memory":               {"import \"unsafe\"\n" + right, `"unsafe"`},
		"reflection":           {"import \"reflect\"\n" + right, `"reflect"`},
		"cgo":                  {"// #include <stdlib.h>\nimport \"C\"\n" + right, `"C"`},
		"plugins":              {"import \"plugin\"\n" + right, `"plugin"`},
		"the grader":           {"import \"manyhands/internal/grade/judge\"\n" + right, `"manyhands/internal/grade/judge"`},
		"the checks":           {"import \"manyhands/helpers/practical\"\n" + right, `"manyhands/helpers/practical"`},
		"testing":              {"import \"testing\"\n" + right, `"testing"`},
		"embedding":            {"import _ \"embed\"\n//go:embed /etc/passwd\nvar secret string\n" + right, `the order "//go:embed"`},
		"embedding without":    {"//go:embed passwd\nvar secret string\n" + right, `the order "//go:embed"`},
		"linkname":             {"//go:linkname exit os.runtime_beforeExit\nfunc exit(int)\n" + right, `the order "//go:linkname"`},
		"norace":               {"//go:norace\n" + right, `the order "//go:norace"`},
		"line":                 {"//line checks.go:1\n" + right, `the order "//line"`},
		"a line inside":        {right + "func f() {\n\t/*line x.go:1*/\n}\n", `the order "/*line"`},
		"assembly":             {right + "func add(a, b int) int\n", "the function add has no body"},
		"race detector off":    {"import \"runtime\"\n" + right + "func f() { runtime.RaceDisable() }\n", "runtime.RaceDisable has no place"},
		"the same, renamed":    {"import r \"runtime\"\n" + right + "func f() { r.RaceDisable() }\n", "r.RaceDisable has no place"},
		"the same, unimported": {right + "func f() { runtime.RaceDisable() }\n", "runtime.RaceDisable has no place"},
		"dot import":           {"import . \"runtime\"\n" + right, `import "runtime" under its own name`},
		"work before checks":   {"var x = f()\nfunc f() int { for {} }\n" + right, "initialised by a call of f"},
		"a wait before checks": {"var x = <-make(chan int)\n" + right, "received from a channel"},
		"a New of its own":     {"var x = errors.New(\"\")\ntype mine struct{}\nfunc (mine) New(string) error { for {} }\nvar errors mine\n" + right, "initialised by a call of errors.New"},
		"one core":             {right + "func f() { runtime.GOMAXPROCS(1) }\n", "runtime.GOMAXPROCS has no place in an answer, but for GOMAXPROCS(0)"},
		"another's variable":   {right + "func f() { context.DeadlineExceeded = nil }\n", "line 8: context.DeadlineExceeded is not the answer's to change"},
		"by its address":       {right + "func f() { p := &io.EOF; *p = nil }\n", "io.EOF is not the answer's to change"},
		"a literal called":     {"var x = func() int { for {} }()\n" + right, "a variable outside of functions is initialised by a call"},
		"the weaver's name":    {right + "func f() { manyhandsPerturb.Seed(0) }\n", "the name manyhandsPerturb is the grader's"},
		"an endless cell":      {right + strings.Repeat("// more\n", 20_000), "no answer needs"},
	} {
		t.Run(name, func(t *testing.T) {
			graded, err := g.Grade(t.Context(), map[string]string{"at-once": test.cell})
			if err != nil {
				t.Fatal(err)
			}
			if graded[1].Points != 0 || !strings.Contains(said(graded[1]), test.want) {
				t.Errorf("%d points, and said\n%s\nwant 0 and %q", graded[1].Points, said(graded[1]), test.want)
			}
		})
	}
}

// TestSuperfluous has what is left out of an answer that is right without.
func TestSuperfluous(t *testing.T) {
	seesNothing(t)
	t.Parallel()
	g := first(t, grade.Options{Seeds: []uint64{1}})
	cell := "!rm -rf ~\n%goflags -race=0\n" + right + `
func init() { panic("before") }
func init_more() { panic("before") }
func main() { panic("instead") }
func TestAtOnce(t *testing.T) {}
func TestMain(m *testing.M) { fmt.Println("PASS") }
func len(any) int { return 10 }
var true = false
type Job struct{}
func time() {}
%%
panic("below")
`
	graded, err := g.Grade(t.Context(), map[string]string{"at-once": cell})
	if err != nil {
		t.Fatal(err)
	}
	if q := graded[1]; q.Points != q.Worth {
		t.Errorf("%d of %d points: %s", q.Points, q.Worth, said(q))
	}
	for _, want := range []string{
		"line 1: !rm -rf ~ is not run", "line 2: %goflags -race=0 is not run", "init is not run", "init_more is not run",
		"main is not run", "TestAtOnce is not a part", "TestMain is not a part", "len is not yours", "true is not yours",
		"Job is not yours", "time is not yours",
	} {
		if !strings.Contains(said(graded[1]), want) {
			t.Errorf("said nothing like %q:\n%s", want, said(graded[1]))
		}
	}
}

// TestOnlyItsOwnPoints has answers that keep the program of all answers from being
// built, or from beginning: those beside them have their points.
func TestOnlyItsOwnPoints(t *testing.T) {
	seesNothing(t)
	t.Parallel()
	g := first(t, grade.Options{Limit: 5 * time.Second, Seeds: []uint64{}})
	const pool = "\nfunc Pool(workers, tasks int, work func(task int)) {}\n"
	for name, test := range map[string]struct{ cell, want string }{
		"an array for the linker":  {"var all [1 << 40]byte" + pool, "symbol too large"},
		"an array in the program":  {"var all = [1 << 31]byte{1<<31 - 1: 1}" + pool, "it cannot be built: it takes more than 1024 MB"},
		"memory before the checks": {"var all = make([]byte, 1<<50)" + pool, "panic: runtime error: makeslice"},
		"the sandbox's name":       {"var e any = struct{ A int \"bwrap: \" }{}\nvar n = e.(int)" + pool, "panic: interface conversion"},
	} {
		t.Run(name, func(t *testing.T) {
			graded, err := g.Grade(t.Context(), map[string]string{"at-once": right + "// " + name, "pool": test.cell})
			if err != nil {
				t.Fatal(err)
			}
			if graded[1].Points != graded[1].Worth {
				t.Errorf("the right answer has %d of %d points: %s", graded[1].Points, graded[1].Worth, said(graded[1]))
			}
			if graded[2].Points != 0 || !strings.Contains(said(graded[2]), test.want) {
				t.Errorf("%d points, and said\n%s\nwant 0 and %q", graded[2].Points, said(graded[2]), test.want)
			}
		})
	}
}

// TestHostile has answers of one student that do harm when they run, and one that
// is right: its points are there.
func TestHostile(t *testing.T) {
	seesNothing(t)
	t.Parallel()
	const pool = "func Pool(workers, tasks int, work func(task int)) {\n"
	const blur = "func BlurThreads(pictures []*image.RGBA, radius, workers int) []*image.RGBA {\n"
	const processes = "func BlurProcesses(ctx context.Context, pictures []*image.RGBA, radius, workers int) ([]Blurred, error) {\n"
	for name, students := range map[string]map[string]struct{ cell, want string }{
		"one": {
			"at-once":        {right, ""},
			"pool":           {pool + "for {}\n}", "not done after 5s"},
			"blur-threads":   {blur + "for { fmt.Print(strings.Repeat(\"PASS\\n\", 1<<20)) }\n}", "printed more than"},
			"blur-processes": {processes + "return nil, 1\n}", "line 2: it does not compile"},
		},
		"hoard": {
			"at-once":  {right, ""},
			"download": {"func Download(urls []string, workers int) ([][]byte, error) {\nvar all [][]byte\nfor {\nb := make([]byte, 64<<20)\nfor i := 0; i < len(b); i += 4096 { b[i] = 1 }\nall = append(all, b)\n}\n}", "it took more than 1024 MB of memory"},
		},
		"two": {
			"at-once":        {right, ""},
			"pool":           {pool + "select {}\n}", "not done after 5s"},
			"download":       {"func Download(urls string) {}", "does not compile with the checks"},
			"blur-threads":   {blur + "var p *image.RGBA\n_ = p.Pix\nreturn nil\n}", "panic"},
			"blur-processes": {processes + "go panic(\"out of chalk\")\nselect {}\n}", "panic: out of chalk (line 2)"},
		},
		"three": {
			"at-once":        {right, ""},
			"pool":           {pool + "runtime.Goexit()\n}", "ended the goroutine that called it"},
			"download":       {"func Download(urls []string, workers int) ([][]byte, error) {\nvar m map[string]int\nm[\"a\"]++\nreturn nil, nil\n}", "assignment to entry in nil map, in Download, line 3"},
			"blur-threads":   {blur + "m := map[int]int{}\nfor i := range 8 { go func() { for { m[i]++ } }() }\nselect {}\n}", "line 3"}, // says the race detector, or the runtime, whichever is first
			"blur-processes": {processes + "go func() { for { time.Sleep(time.Hour) } }()\nreturn nil, nil\n}", ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := 5 * time.Second
			if name == "hoard" {
				limit = time.Minute // memory is to end it, also where that takes long to fill
			}
			g := first(t, grade.Options{Limit: limit, Seeds: []uint64{1}})
			answers := map[string]string{}
			for id, test := range students {
				answers[id] = test.cell
			}
			graded, err := g.Grade(t.Context(), answers)
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range graded {
				test := students[q.ID]
				if q.ID == "at-once" && q.Points != q.Worth {
					t.Errorf("the right answer has %d of %d points: %s", q.Points, q.Worth, said(q))
				}
				if !strings.Contains(said(q), test.want) {
					t.Errorf("%s: said\n%s\nwant %q", q.ID, said(q), test.want)
				}
				if q.ID != "at-once" && !q.Written && q.Points > 2 {
					t.Errorf("%s: %d points", q.ID, q.Points)
				}
			}
		})
	}
}

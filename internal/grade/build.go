package grade

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/types"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"manyhands/internal/course"
	"manyhands/internal/lesson"
	"manyhands/internal/practical"
)

// submissionPath is where, to the compiler, answers lie: within the course's
// module, whose packages the checks import. Nothing is ever written there; an
// overlay shows the compiler the files.
const submissionPath = "internal/grade/submission"

// answerFile is the file with the student's cell.
const answerFile = "answer.go"

// Limits of a build, which is not in the sandbox. A cold cache takes the most of the
// time; the memory, in bytes, is that of one compiler or linker.
const (
	buildLimit       = 5 * time.Minute
	buildMemoryLimit = 1 << 30
)

// A buildError says why a program could not be built, where the compiler names no
// line: a linker's complaint, or a limit.
type buildError struct{ why string }

func (e *buildError) Error() string { return "build the checks: " + e.why }

// context of a question: the files of ours that surround an answer to it.
type surroundings struct {
	files    []ourFile
	reserved map[string]bool // names that are not the student's to declare
}

type ourFile struct {
	name     string
	source   *source
	yielding bool // the student's declarations take the place of its own
}

// surround parses what surrounds answers to the question: the given code, our
// solutions of earlier questions with their visible checks, and all checks of
// this one.
func surround(p *practical.Practical, q *practical.Question) (*surroundings, error) {
	s := &surroundings{reserved: map[string]bool{}}
	add := func(name string, c lesson.Cell, text string, yielding bool) error {
		parsed, err := parse(text)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", p.Path, c.Line, err)
		}
		s.files = append(s.files, ourFile{fmt.Sprintf("%s%d.go", name, len(s.files)), parsed, yielding})
		if yielding {
			return nil
		}
		for name := range parsed.declared() {
			s.reserved[name] = true
		}
		clause, _ := parsed.header(oursAndUsual)
		for _, m := range importName.FindAllStringSubmatch(clause, -1) {
			s.reserved[m[1]] = true
		}
		return nil
	}
	var errs []error
	for _, c := range p.Given {
		errs = append(errs, add("given", c, c.Source, false))
	}
	for _, earlier := range p.Questions {
		if earlier != q && !earlier.Written {
			errs = append(errs, add("earlier", earlier.Cell, earlier.Solved(), true))
		}
		for _, c := range earlier.Checks {
			if earlier == q || practical.PartOf(c) == practical.Check {
				errs = append(errs, add("check", c, c.Source, false))
			}
		}
		if earlier == q {
			break
		}
	}
	return s, errors.Join(errs...)
}

var importName = regexp.MustCompile(`import (\w+) `)

// oursAndUsual are the packages that our own files may use without an import.
var oursAndUsual = func() map[string]string {
	all := maps.Clone(usual)
	maps.Copy(all, ours)
	return all
}()

// files returns the package of one answer: file name to text.
func (s *surroundings) with(q *practical.Question, v *vetted) map[string]string {
	clause, edits := v.header(knownTo(q), v.drop...)
	if points := v.weave(); len(points) > 0 {
		edits = append(edits, points...)
		clause += fmt.Sprintf("import %s %q; ", pointPackage, pointPath)
	}
	edits = append(edits, v.registrations(q.ID)...)
	files := map[string]string{answerFile: clause + v.edited(append(edits, v.drop...))}
	needed := s.needed(q, v)
	for _, f := range s.files {
		var dropped []edit
		for _, decl := range f.source.file.Decls {
			if !needed[decl] {
				dropped = append(dropped, f.source.blank(decl))
			}
		}
		if f.yielding {
			for name, node := range f.source.declared() {
				if v.names[name] {
					dropped = append(dropped, f.source.blank(node))
				}
			}
		}
		clause, edits := f.source.header(oursAndUsual, dropped...)
		edits = append(append(edits, f.source.registrations(q.ID)...), dropped...)
		files[f.name] = clause + f.source.edited(edits)
	}
	return files
}

// needed returns the declarations of our files that the answer or the question's
// tests use, directly or not, going by names alone. The others would only take time
// to compile: half of all that a submission takes.
func (s *surroundings) needed(q *practical.Question, v *vetted) map[ast.Decl]bool {
	declaring := map[string][]ast.Decl{}
	for _, f := range s.files {
		for _, decl := range f.source.file.Decls {
			for name := range declares(decl) {
				declaring[name] = append(declaring[name], decl)
			}
			if method, ok := decl.(*ast.FuncDecl); ok && method.Recv != nil {
				receiver, _, _ := strings.Cut(strings.TrimLeft(types.ExprString(method.Recv.List[0].Type), "*("), "[")
				declaring[receiver] = append(declaring[receiver], decl)
			}
		}
	}
	needed := map[ast.Decl]bool{}
	var need func(name string)
	uses := func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			if ident, ok := n.(*ast.Ident); ok {
				need(ident.Name)
			}
			return true
		})
	}
	need = func(name string) {
		for _, decl := range declaring[name] {
			if !needed[decl] {
				needed[decl] = true
				uses(decl)
			}
		}
	}
	uses(v.file)
	for _, name := range append([]string{"init", "_"}, q.Tests...) {
		need(name)
	}
	return needed
}

// An answer is a vetted answer to a question, with what surrounds it.
type answer struct {
	question *practical.Question
	files    map[string]string
}

// build makes one program of the answers, in dir, and returns its path. Answers
// that do not compile are left out; the second result says why, by the id of
// their question. All questions of a submission share a program, as linking is
// most of the work.
func build(ctx context.Context, c *course.Course, dir string, answers []answer) (program string, broken map[string]string, err error) {
	machine.RLock()
	defer machine.RUnlock()
	broken = map[string]string{}
	for len(answers) > 0 {
		program, output, err := compile(ctx, c, dir, answers)
		if err != nil || output == "" {
			return program, broken, err
		}
		said := compileErrors(output)
		left := slices.DeleteFunc(slices.Clone(answers), func(a answer) bool { return said[a.question.ID] != "" })
		if len(left) == len(answers) {
			return "", broken, &buildError{strings.TrimSpace(output)}
		}
		maps.Copy(broken, said)
		answers = left
	}
	return "", broken, nil
}

// compile builds the answers. The output is what the compiler said of those that
// do not compile.
func compile(ctx context.Context, c *course.Course, dir string, answers []answer) (program, output string, err error) {
	overlay := map[string]string{}
	put := func(name, text string) error {
		real := filepath.Join(dir, filepath.FromSlash(name))
		overlay[c.Path(submissionPath, filepath.FromSlash(name))] = real
		if err := os.MkdirAll(filepath.Dir(real), 0o755); err != nil {
			return err
		}
		return os.WriteFile(real, []byte(text), 0o644)
	}
	for _, a := range answers {
		for name, text := range a.files {
			if err := put(a.question.ID+"/"+name, text); err != nil {
				return "", "", err
			}
		}
	}
	if err := put("main_test.go", mainTest(answers)); err != nil {
		return "", "", err
	}
	list, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return "", "", err
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, list, 0o644); err != nil {
		return "", "", err
	}
	program = filepath.Join(dir, "check")
	building, kill := context.WithCancelCause(ctx)
	defer kill(nil)
	limit := time.AfterFunc(buildLimit, func() { kill(&buildError{fmt.Sprintf("it takes more than %v", buildLimit)}) })
	defer limit.Stop()
	// Without debugging data, and linked by Go itself and not by gcc, a program
	// takes a third less time. The net package's own resolver is all that the
	// sandbox's network needs. What draws and blurs pictures is not watched for
	// races, which would take a fifth of all time.
	cmd := exec.CommandContext(building, "go", "test", "-c", "-race", "-vet=off", "-trimpath", "-tags=netgo,osusergo",
		"-ldflags=-s -w -linkmode=internal", "-gcflags=image/...=-race=false",
		"-gcflags="+course.Module+"/helpers/workload=-race=false", "-overlay", overlayFile, "-o", program, "./"+submissionPath)
	cmd.Dir = c.Root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOFLAGS=", "GOWORK=off", "GOPROXY=off", "TMPDIR="+dir,
		"GOGC=400") // a tenth less work for the compiler and the linker
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with its compilers and its linker
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return "", "", fmt.Errorf("build the checks: %w", err)
	}
	over := make(chan struct{})
	go watchBuild(cmd.Process.Pid, kill, over)
	err = cmd.Wait()
	close(over)
	switch {
	case err == nil:
		return program, "", nil
	case building.Err() != nil:
		return "", "", context.Cause(building)
	case errors.As(err, new(*exec.ExitError)):
		return "", said.String(), nil
	}
	return "", "", fmt.Errorf("build the checks: %w", err)
}

// watchBuild kills a build one of whose processes takes too much memory, until over
// is closed.
func watchBuild(pid int, kill context.CancelCauseFunc, over <-chan struct{}) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
		}
		for _, bytes := range resident(pid) {
			if bytes > buildMemoryLimit {
				kill(&buildError{fmt.Sprintf("it takes more than %d MB of memory", buildMemoryLimit>>20)})
				return
			}
		}
	}
}

// mainTest is the program's own file.
func mainTest(answers []answer) string {
	var imports, runs strings.Builder
	for i, a := range answers {
		fmt.Fprintf(&imports, "\tq%d %q\n", i, course.Module+"/"+submissionPath+"/"+a.question.ID)
		for _, test := range a.question.Tests {
			fmt.Fprintf(&runs, "\tt.Run(%q, q%d.%s)\n", a.question.ID+"/"+test, i, test)
		}
	}
	return "package submission\n\nimport (\n\t\"testing\"\n\n\t\"" + course.Module + "/internal/grade/judge\"\n" + imports.String() +
		")\n\nfunc TestMain(m *testing.M) { judge.Main(m) }\n\nfunc TestAnswers(t *testing.T) {\n" + runs.String() + "}\n"
}

var errorLine = regexp.MustCompile(`([^/\s]+)/(\w+\.go):(\d+):(?:\d+:)? (.*)`)

// compileErrors finds, for each question that does not compile, the first thing
// that the compiler says about it. What it says of no line, as when it is killed or
// the disk is full, is nobody's mistake.
func compileErrors(output string) map[string]string {
	said := map[string]string{}
	for line := range strings.Lines(output) {
		m := errorLine.FindStringSubmatch(line)
		switch {
		case m == nil || said[m[1]] != "" && strings.HasPrefix(said[m[1]], "line"):
		case m[2] == answerFile:
			said[m[1]] = fmt.Sprintf("line %s: it does not compile: %s", m[3], m[4])
		case said[m[1]] == "":
			said[m[1]] = "it does not compile with the checks: " + m[4]
		}
	}
	return said
}

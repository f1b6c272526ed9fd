package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"manyhands/internal/course"
	"manyhands/internal/grade"
	"manyhands/internal/notebook"
	"manyhands/internal/practical"
)

type releaseCommand struct {
	Out      string `help:"Folder to write; notebooks/practicals if none is named." type:"path"`
	Class    int    `help:"How many students to invent, whose submissions go to testdata/class, to try the grader on." default:"30" placeholder:"N"`
	Nbgrader string `help:"Write what nbgrader's source folder takes to this folder as well: with the hidden checks." type:"path"`
}

func (v *releaseCommand) Run(ctx context.Context, c *course.Course) error {
	all, err := practical.All(c)
	if err != nil {
		return err
	}
	if v.Out == "" {
		v.Out = c.Path("notebooks", "practicals")
	}
	for _, p := range all {
		path := filepath.Join(v.Out, p.Name+".ipynb")
		if err := write(p.Release(), path); err != nil {
			return err
		}
		if v.Nbgrader != "" {
			if err := write(p.Instructors(), filepath.Join(v.Nbgrader, p.Name, p.Name+".ipynb")); err != nil {
				return err
			}
		}
		fmt.Println(path)
	}
	return invent(ctx, c.Path("testdata", "class"), v.Class, all[0])
}

// invent writes the submissions of an invented class, in place of the one before.
func invent(ctx context.Context, dir string, students int, p *practical.Practical) error {
	before, err := fs.Glob(os.DirFS(dir), "student[0-9][0-9][0-9]*")
	if err != nil {
		return err
	}
	for _, name := range before {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	for i := range students {
		if ctx.Err() != nil {
			return fmt.Errorf("%d of %d students are invented: %w", i, students, context.Cause(ctx))
		}
		data, err := p.HandedIn(i)
		if err != nil {
			return err
		}
		folder := filepath.Join(dir, fmt.Sprintf("student%03d", i))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("make the folder of a submission: %w", err)
		}
		if err := renameio.WriteFile(filepath.Join(folder, p.Name+".ipynb"), data, 0o644); err != nil {
			return fmt.Errorf("write a submission: %w", err)
		}
	}
	if students > 0 {
		fmt.Printf("%s: an invented class of %d, to try grade on\n", dir, students)
	}
	return nil
}

// write writes a notebook, and its folder.
func write(nb *notebook.Notebook, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the folder of a notebook: %w", err)
	}
	return nb.Write(path)
}

// gradingFlags are those of check and grade.
type gradingFlags struct {
	Practical   string `help:"Name of the practical, where the notebooks do not say."`
	Unsandboxed bool   `help:"Run the code without bubblewrap: it can do to this machine whatever you can."`
}

// grader makes the grader for the practical that the submissions answer.
func (f *gradingFlags) grader(ctx context.Context, c *course.Course, submissions []grade.Submission, opt grade.Options) (*grade.Grader, error) {
	if f.Practical == "" {
		name, err := grade.Which(submissions)
		if err != nil {
			return nil, err
		}
		f.Practical = name
	}
	all, err := practical.All(c)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range all {
		if p.Name == f.Practical {
			opt.Unsandboxed = f.Unsandboxed
			return grade.New(ctx, c, p, opt)
		}
		names = append(names, p.Name)
	}
	return nil, fmt.Errorf("there is no practical %q; there are: %s", f.Practical, strings.Join(names, ", "))
}

type checkCommand struct {
	gradingFlags
	File string   `arg:"" help:"The notebook with your answers." type:"existingfile"`
	Seed []uint64 `help:"Delay goroutines by this seed only, as a feedback page says."`
}

func (*checkCommand) Help() string {
	return "Your code runs in a sandbox where one can be made (by bubblewrap, on Linux), and elsewhere as in the notebook, without."
}

func (v *checkCommand) Run(ctx context.Context, c *course.Course) error {
	submissions, err := grade.Submissions(v.File)
	if err != nil {
		return err
	}
	opt := grade.Options{Seeds: v.Seed}
	g, err := v.grader(ctx, c, submissions, opt)
	if errors.Is(err, grade.ErrNoSandbox) { // it is their own code, and has run in their notebook
		fmt.Fprintln(os.Stderr, "there is no sandbox here: your code runs as in the notebook, without one")
		v.Unsandboxed = true
		g, err = v.grader(ctx, c, submissions, opt)
	}
	if err != nil {
		return err
	}
	result, err := g.Check(ctx, submissions[0], os.Stderr)
	if err != nil {
		return err
	}
	fmt.Print(result)
	if result.Lost() {
		return errors.New("something is missing")
	}
	return nil
}

type gradeCommand struct {
	gradingFlags
	Dir     string `arg:"" help:"Folder with a folder or a notebook for each student, or one notebook." type:"existingpath"`
	Out     string `help:"Folder for grades and feedback." default:"grades" type:"path"`
	Workers string `help:"Let graders on other machines do it (there: manyhands grader URL), through the NATS server at this URL." placeholder:"URL"`
}

func (*gradeCommand) Help() string {
	return "Stopped, it goes on from there the next time: nobody is graded twice. Points for written answers go into written.csv, " +
		"in the folder for grades, before another run. See grader --help for a class that is too large for one machine."
}

func (v *gradeCommand) Run(ctx context.Context, c *course.Course) error {
	submissions, err := grade.Submissions(v.Dir)
	if err != nil {
		return err
	}
	g, err := v.grader(ctx, c, submissions, grade.Options{Workers: v.Workers})
	if err != nil {
		return err
	}
	if err := g.Class(ctx, submissions, v.Out, os.Stderr); err != nil {
		return err
	}
	fmt.Printf("%d graded: grades.csv, grades.json, written.csv to mark in, moodle.csv, canvas.csv and feedback/ are in %s\n",
		len(submissions), v.Out)
	return nil
}

type graderCommand struct {
	URL         string `arg:"" help:"The NATS server's, with JetStream: nats://user:password@host:4222"`
	Unsandboxed bool   `help:"Run the code without bubblewrap: it can do to this machine whatever you can."`
}

func (*graderCommand) Help() string {
	return "Start it on each machine that shall help, from the same state of the course, then grade on one: " +
		"manyhands grade FOLDER --workers URL. A submission whose grader falls silent goes to another. The server is a nats-server -js that " +
		"all machines reach; to try it on one machine, manyhands broker nats runs one and prints its URL."
}

func (v *graderCommand) Run(ctx context.Context, c *course.Course) error {
	return grade.Serve(ctx, c, v.URL, v.Unsandboxed, os.Stderr)
}

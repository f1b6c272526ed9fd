// Many Hands is an open course on concurrency and parallelism in Go. This is
// its command: go run . opens the course, go run . --help lists the rest.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-isatty"

	"manyhands/internal/build"
	"manyhands/internal/course"
	"manyhands/internal/doctor"
	"manyhands/internal/lab"
	"manyhands/internal/progress"
	"manyhands/internal/site"
)

// command is the whole command line; kong reads it from the tags.
type command struct {
	Lab     labCommand     `cmd:"" default:"withargs" help:"Set up what is missing and open the course in JupyterLab (the default)."`
	Build   buildCommand   `cmd:"" help:"Execute the lessons that changed and write notebooks/."`
	Site    siteCommand    `cmd:"" help:"Render notebooks/ as static pages in site/."`
	Release releaseCommand `cmd:"" help:"Write the practicals as students get them to notebooks/practicals."`
	Check   checkCommand   `cmd:"" help:"Check your answers to a practical."`
	Grade   gradeCommand   `cmd:"" help:"Grade a class's answers to a practical."`
	Grader  graderCommand  `cmd:"" help:"Help grade --workers on another machine."`
	Bench   benchCommand   `cmd:"" help:"Measure the course beside its peers, such as Python and nbconvert."`
	Doctor  doctorCommand  `cmd:"" help:"Say what is here, what is missing, and how to get it."`

	Broker brokerCommand `cmd:"" group:"Many machines (lessons 12 and 13)" help:"Run a broker, as the lessons do on demand."`
	Worker workerCommand `cmd:"" group:"Many machines (lessons 12 and 13)" help:"Work for pools on other machines."`

	FindSSH   findSSHCommand   `cmd:"" name:"find-ssh" group:"Field tools (lesson 11)" help:"Find the SSH servers, or others, of a subnet."`
	FindFiles findFilesCommand `cmd:"" group:"Field tools (lesson 11)" help:"Find files by pattern in trees of folders."`
	GitStatus gitStatusCommand `cmd:"" group:"Field tools (lesson 11)" help:"Tell which git repositories hold what is not committed or not pushed."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	var cmd command
	chosen := kong.Parse(&cmd,
		kong.Name("manyhands"),
		kong.Description("Many Hands: concurrency and parallelism in Go, measured on your own machine."),
		kong.UsageOnError(),
		kong.Exit(func(code int) { os.Exit(min(code, 2)) }), // 2 for a wrong command line, as most commands do
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.BindToProvider(course.Find)) // only for verbs that take it: the field tools work anywhere
	if err := chosen.Run(); err != nil {
		stop()
		fail(err)
	}
}

// fail reports an error the way every verb does.
func fail(err error) {
	fmt.Fprintln(os.Stderr, "manyhands:", err)
	os.Exit(1)
}

type labCommand struct {
	Host    string `help:"Address to listen on; 0.0.0.0 lets other machines in, who need the token too." default:"127.0.0.1"`
	Port    int    `help:"Port to listen on; 0 takes 8888 or the next free one." default:"0"`
	Prepare bool   `help:"Only set up what is missing, so that the next start needs no network." xor:"prepare"`
	Deliver bool   `help:"Only bring your copies of the notebooks in work/ up to date, as a JupyterHub's servers ask for." xor:"prepare"`
	Browser bool   `help:"Open the browser." default:"true" negatable:""`
	Dir     string `help:"Open this folder as it is, not your copies of the notebooks in work/." type:"existingdir"`
}

func (v *labCommand) Run(ctx context.Context, c *course.Course) error {
	if v.Prepare {
		return lab.Prepare(ctx, c, os.Stdout)
	}
	if v.Deliver {
		return lab.Deliver(c, os.Stdout)
	}
	pages := siteCommand{Out: c.Path("site"), Serve: true}
	return lab.Run(ctx, c, lab.Options{
		Host: v.Host, Port: v.Port, Browser: v.Browser, Dir: v.Dir, Out: os.Stdout,
		Static: func(ctx context.Context) error { return pages.Run(ctx, c) },
	})
}

type buildCommand struct {
	Lessons     []string      `arg:"" optional:"" help:"Lessons to build, such as 02 or threads; all if none is named."`
	Force       bool          `help:"Execute even the lessons that have not changed." xor:"how"`
	Text        bool          `help:"Take over changed text, draw the charts again and execute nothing: what the cells printed stays." xor:"how,source"`
	CellTimeout time.Duration `help:"Interrupt a cell that runs longer than this." default:"5m"`
	Notebook    string        `help:"Execute this notebook, which need not be the course's." type:"existingfile" and:"notebook" xor:"source"`
	Out         string        `help:"Where to write the executed --notebook." type:"path" and:"notebook"`
}

func (v *buildCommand) Run(ctx context.Context, c *course.Course) error {
	opt := build.Options{Force: v.Force, CellTimeout: v.CellTimeout, Out: os.Stderr}
	if v.Notebook != "" {
		if len(v.Lessons) > 0 {
			return errors.New("give either lessons or --notebook, not both")
		}
		return build.Notebook(ctx, c, v.Notebook, v.Out, opt)
	}
	for _, name := range v.Lessons {
		path, err := c.Lesson(name)
		if err != nil {
			return err
		}
		opt.Lessons = append(opt.Lessons, path)
	}
	if v.Text {
		return build.Text(c, opt)
	}
	return build.Lessons(ctx, c, opt)
}

type siteCommand struct {
	Out   string `help:"Folder to write." default:"site" type:"path"`
	Base  string `help:"Address under which the pages will be published."`
	Edit  string `help:"Address under which the course's files are edited; each lesson's page leads there."`
	Serve bool   `help:"Serve the pages on 127.0.0.1 and render again when a notebook changes."`
	Port  int    `help:"Port to serve on; 0 takes a free one." default:"0"`
	// The course's own notebooks may run scripts in a page; nobody else's.
	Untrusted string `help:"Render this folder of notebooks instead, students' for example: scripts and dangerous HTML are taken out." type:"existingdir"`
}

func (v *siteCommand) Run(ctx context.Context, c *course.Course) error {
	var cache *site.Cache
	if v.Serve {
		cache = new(site.Cache)
	}
	if err := v.render(ctx, c, cache); err != nil {
		return err
	}
	if !v.Serve {
		fmt.Println("the pages are in", v.Out)
		return nil
	}
	return site.Serve(ctx, v.Out, net.JoinHostPort("127.0.0.1", strconv.Itoa(v.Port)), site.ServeOptions{
		Ready: func(url string) { fmt.Println("the pages are at", url, "(Ctrl-C ends)") },
		Watch: v.sources(c),
		Changed: func(ctx context.Context) {
			if err := v.render(ctx, c, cache); err != nil {
				fmt.Fprintln(os.Stderr, "manyhands:", err)
			}
		},
	})
}

// sources are the folders that the pages are made of.
func (v *siteCommand) sources(c *course.Course) []string {
	if v.Untrusted != "" {
		return []string{v.Untrusted}
	}
	return []string{c.Path("notebooks"), c.Path("lessons")}
}

// render renders the pages once, with a bar as it may take seconds.
func (v *siteCommand) render(ctx context.Context, c *course.Course, cache *site.Cache) error {
	bars := progress.New(os.Stderr)
	defer bars.Wait()
	var pages *progress.Task
	err := site.Render(ctx, c, v.Out, site.Options{
		Base: v.Base, Edit: v.Edit, From: v.Untrusted, Untrusted: v.Untrusted != "", Cache: cache,
		OnPage: func(done, total int, name string) {
			if pages == nil {
				pages = bars.Task("pages", total)
			}
			pages.Step(name)
		},
	})
	if pages != nil {
		pages.Done(err)
	}
	return err
}

type doctorCommand struct{}

func (doctorCommand) Run(ctx context.Context, c *course.Course) error {
	findings := doctor.Check(ctx, c)
	if err := doctor.Print(os.Stdout, findings, isatty.IsTerminal(os.Stdout.Fd())); err != nil {
		return err
	}
	return doctor.Verdict(findings)
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-isatty"

	"manyhands/helpers/findfiles"
	"manyhands/helpers/gitstatus"
	"manyhands/helpers/portscan"
	"manyhands/internal/progress"
)

// mostHosts is the largest scan that somebody may have meant.
const mostHosts = 1 << 20

type findSSHCommand struct {
	Subnets  []netip.Prefix `arg:"" name:"subnet" help:"Subnets to search, such as 192.168.1.0/24."`
	Port     uint16         `help:"Port to ask." default:"22"`
	Greeting string         `help:"What a line of the server's greeting begins with; \"\" takes every server." default:"SSH-"`
	Timeout  time.Duration  `help:"How long a host may take." default:"500ms"`
	Limit    int            `help:"Hosts asked at once; 1 for one after another, 0 for no limit." default:"128"`
	All      bool           `help:"List all hosts that answer, also other servers and those that refuse."`
	JSON     bool           `name:"json" help:"Write a line of JSON for each host."`
}

func (*findSSHCommand) Help() string {
	return "Ask before you scan a network that is not yours.\n\n" +
		"Exit status: 0 if a server was found, 1 if none was or something went wrong, 2 for a wrong command line."
}

// Validate makes bad values errors of the command line.
func (v *findSSHCommand) Validate() error {
	for _, subnet := range v.Subnets {
		if portscan.Size(subnet) > mostHosts {
			return fmt.Errorf("%v has more than %d addresses: give a smaller part of it", subnet, mostHosts)
		}
	}
	if v.Timeout <= 0 {
		return errors.New("--timeout must be more than 0")
	}
	return notNegative(v.Limit)
}

func (v *findSSHCommand) Run(ctx context.Context) error {
	hosts := 0
	for _, subnet := range v.Subnets {
		hosts += portscan.Size(subnet)
	}
	r := newReport(v.JSON, fmt.Sprintf("%-21s %-11s %7s  %s", "ADDRESS", "ANSWER", "TIME", "GREETING"))
	task := r.bars.Task("hosts", hosts)
	scan := portscan.Scan{Port: v.Port, Greeting: v.Greeting, Timeout: v.Timeout, Limit: v.Limit}
	found := 0
	for host, err := range scan.Hosts(ctx, v.Subnets...) {
		if ctx.Err() != nil {
			break
		}
		task.Step(fmt.Sprint(found, " found"))
		if err != nil {
			r.fail(fmt.Errorf("%v: %w", host.Address, err))
			continue
		}
		if host.Answer == portscan.Found {
			found++
		} else if !v.All || host.Answer == portscan.Silent {
			continue
		}
		row := fmt.Sprintf("%-21v %s %4d ms  %s", host.Address,
			r.paint(fmt.Sprintf("%-11s", host.Answer), host.Answer == portscan.Found),
			host.Took.Milliseconds(), printable(host.Banner))
		if err := r.row(row, host); err != nil {
			return err
		}
	}
	return r.end(ctx, task, found)
}

type findFilesCommand struct {
	Pattern string   `arg:"" help:"Such as \"*.go\", \"lessons/*.md\" or \"**/{testdata,old}/**\"; /*.go is only what lies at the top."`
	Folders []string `arg:"" name:"folder" optional:"" help:"Folders to search; this one if none is named." default:"."`
	Follow  bool     `help:"Follow links to folders; each folder is searched once."`
	Limit   int      `help:"Folders read at once; 1 for one after another, 0 for no limit." default:"16"`
	JSON    bool     `name:"json" help:"Write a line of JSON for each file."`
}

func (*findFilesCommand) Help() string {
	return "Exit status: 0 if a file was found, 1 if none was or a folder could not be read, 2 for a wrong command line."
}

// Validate makes bad values errors of the command line.
func (v *findFilesCommand) Validate() error { return notNegative(v.Limit) }

func (v *findFilesCommand) Run(ctx context.Context) error {
	r := newReport(v.JSON, fmt.Sprintf("%12s  %-16s  %s", "BYTES", "MODIFIED", "FILE"))
	task := r.bars.Task("files", 0)
	search := findfiles.Search{Pattern: v.Pattern, Follow: v.Follow, Limit: v.Limit}
	found := 0
	for file, err := range search.Files(ctx, v.Folders...) {
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			r.fail(err)
			continue
		}
		found++
		task.Step(fmt.Sprint(found, " found"))
		row := fmt.Sprintf("%12d  %s  %s", file.Size, file.Modified.Format("2006-01-02 15:04"), printable(file.Path))
		if err := r.row(row, file); err != nil {
			return err
		}
	}
	return r.end(ctx, task, found)
}

type gitStatusCommand struct {
	Folders []string `arg:"" name:"folder" optional:"" help:"Folders with repositories; this one if none is named." default:"."`
	Limit   int      `help:"Repositories asked at once; 1 for one after another, 0 for no limit." default:"8"`
	All     bool     `help:"List clean repositories as well."`
	JSON    bool     `name:"json" help:"Write a line of JSON for each repository."`
}

func (*gitStatusCommand) Help() string {
	return "Lists the repositories in and below the folders that hold what exists on this machine only, " +
		"or that are not where their remote branch is. Nothing is fetched.\n\n" +
		"Exit status: 0 if all are clean, 1 if one is not or something went wrong, 2 for a wrong command line."
}

// Validate makes bad values errors of the command line.
func (v *gitStatusCommand) Validate() error { return notNegative(v.Limit) }

func (v *gitStatusCommand) Run(ctx context.Context) error {
	r := newReport(v.JSON, "CHANGED  UNTRACKED  CONFLICTS  STASHED  UNPUSHED  AHEAD  BEHIND  BRANCH                PATH")
	task := r.bars.Task("repositories", 0)
	seen, open := 0, 0
	for s, err := range gitstatus.Under(ctx, v.Limit, v.Folders...) {
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			r.fail(err)
			continue
		}
		seen++
		task.Step(fmt.Sprint(seen, " asked"))
		if s.Clean() && !v.All {
			continue
		}
		if !s.Clean() {
			open++
		}
		branch := s.Branch
		if s.Detached {
			branch = "(detached)"
		}
		row := fmt.Sprintf("%7s  %9s  %9s  %7s  %8s  %5s  %6s  %s  %s",
			count(s.Changed), count(s.Untracked), count(s.Conflicts), count(s.Stashed),
			count(s.Unpushed), count(s.Ahead), count(s.Behind),
			r.paint(fmt.Sprintf("%-20s", printable(branch)), s.Clean()), printable(s.Path))
		if err := r.row(row, s); err != nil {
			return err
		}
	}
	if err := r.end(ctx, task, seen); err != nil || open == 0 {
		return err
	}
	return fmt.Errorf("%d of %d repositories are not clean", open, seen)
}

// A report takes what a field tool finds to standard output, as a table or as
// lines of JSON, and what else there is to say to standard error.
type report struct {
	header string // of the table, until it is written
	json   bool
	colour bool
	live   bool // standard error is a terminal, and shows the bars
	bars   *progress.Progress
	failed int
}

// newReport begins a report.
func newReport(asJSON bool, header string) *report {
	r := &report{
		header: header,
		json:   asJSON,
		colour: isatty.IsTerminal(os.Stdout.Fd()),
		live:   isatty.IsTerminal(os.Stderr.Fd()),
		bars:   progress.New(io.Discard),
	}
	if r.live {
		r.bars = progress.New(os.Stderr)
	}
	return r
}

// row writes a row of the table, or the value as JSON.
func (r *report) row(row string, value any) error {
	if r.json {
		line, err := json.Marshal(value)
		if err != nil {
			return err
		}
		row = string(line)
	} else if r.header != "" {
		row = r.header + "\n" + row
		r.header = ""
	}
	if r.live && r.colour { // the rows go where the bars are: above them
		r.bars.Printf("%s", row)
		return nil
	}
	_, err := fmt.Println(row)
	return err
}

// fail reports an error that the rest of the work survives.
func (r *report) fail(err error) {
	r.failed++
	if r.live {
		r.bars.Printf("manyhands: %v", err)
	} else {
		fmt.Fprintln(os.Stderr, "manyhands:", err)
	}
}

// end ends the report: with an error if the work was interrupted, a part of it
// failed, or nothing was found.
func (r *report) end(ctx context.Context, task *progress.Task, found int) error {
	err := context.Cause(ctx)
	switch {
	case err != nil:
		err = fmt.Errorf("interrupted: %w", err)
	case r.failed > 0:
		err = fmt.Errorf("incomplete: %d errors", r.failed)
	case found == 0:
		err = errors.New("nothing found")
	}
	task.Done(err)
	r.bars.Wait()
	return err
}

// paint makes text green or yellow, where colours are seen.
func (r *report) paint(text string, good bool) string {
	switch {
	case !r.colour:
		return text
	case good:
		return "\x1b[32m" + text + "\x1b[0m"
	}
	return "\x1b[33m" + text + "\x1b[0m"
}

// printable is a text from elsewhere without what would move the cursor or end
// the line.
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return unicode.ReplacementChar
	}, text)
}

// count is a number, or a dot for none, so that what is there stands out.
func count(n int) string {
	if n == 0 {
		return "·"
	}
	return strconv.Itoa(n)
}

// notNegative refuses a limit below none.
func notNegative(limit int) error {
	if limit < 0 {
		return errors.New("--limit must be 0, for no limit, or more")
	}
	return nil
}

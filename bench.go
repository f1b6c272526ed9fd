package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"manyhands/internal/bench"
	"manyhands/internal/course"
	"manyhands/internal/edition"
	"manyhands/internal/progress"
	"manyhands/internal/pyenv"
)

type benchCommand struct {
	Groups  []string `arg:"" optional:"" name:"group" help:"Groups of figures to measure; all if none is named."`
	JSON    string   `name:"json" help:"Keep the figures in this file, in place of older ones of the same groups. The pages show bench/results.json." type:"path" placeholder:"FILE"`
	Install bool     `help:"First install the peers, as far as pip and the go command have them: into .venv and Go's own cache."`
	Short   bool     `help:"Measure one round only: to see that it works."`
}

func (*benchCommand) Help() string {
	var b strings.Builder
	b.WriteString("Each pair of cases is measured turn by turn in one run, on a machine that should have nothing else to do. " +
		"A ratio says how many times as fast as another case the first one is; in brackets is its 95 % interval.\n\nThe groups:\n\n")
	for _, g := range bench.Groups {
		fmt.Fprintf(&b, "  %-8s %s\n", g.Name, g.Title)
	}
	return b.String()
}

func (v *benchCommand) Run(ctx context.Context, c *course.Course) error {
	groups, err := bench.Find(v.Groups...)
	if err != nil {
		return err
	}
	if v.Install {
		if err := install(ctx, c); err != nil {
			return err
		}
	}
	if warning := edition.Busy(ctx); warning != "" {
		fmt.Fprintln(os.Stderr, warning)
	}
	var failures []error
	for _, g := range groups {
		record, err := v.measure(ctx, c, g)
		if ctx.Err() != nil {
			return err
		}
		fmt.Print(record)
		failures = append(failures, err)
		if v.JSON != "" && len(record.Figures) > 0 {
			failures = append(failures, bench.Add(v.JSON, record))
		}
	}
	return errors.Join(failures...)
}

func (v *benchCommand) measure(ctx context.Context, c *course.Course, g bench.Group) (bench.Record, error) {
	bars := progress.New(os.Stderr)
	defer bars.Wait()
	return bench.Run(ctx, c, g, bars, v.Short)
}

// install gets what the course is compared with and does not need.
func install(ctx context.Context, c *course.Course) error {
	bars := progress.New(os.Stderr)
	defer bars.Wait()
	if err := pyenv.Add(ctx, c, "peers.txt", "the peers in Python: RQ, Dask, nbgrader", bars); err != nil {
		return err
	}
	task := bars.Task("the peers in Go: conc, ants", 0)
	get := exec.CommandContext(ctx, "go", "mod", "download")
	get.Dir = c.Path("bench", "pools")
	out, err := get.CombinedOutput()
	task.Done(err)
	if err != nil {
		return fmt.Errorf("go mod download in %s: %w\n%s", get.Dir, err, out)
	}
	return nil
}

package kernel_test

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"manyhands/internal/kernel"
	"manyhands/internal/notebook"
)

// book makes a notebook of Go cells with the ids a, b, c …
func book(sources ...string) *notebook.Notebook {
	nb := notebook.New()
	for i, source := range sources {
		nb.Cells = append(nb.Cells, &notebook.Cell{ID: string(rune('a' + i)), Type: notebook.Code, Source: source,
			Metadata: map[string]any{}, Outputs: []notebook.Output{{Type: notebook.Stream, Name: "stdout", Text: "of an earlier run"}}})
	}
	return nb
}

func tag(cell *notebook.Cell, tags ...any) { cell.Metadata["tags"] = tags }

func TestExecuteNotebook(t *testing.T) {
	nb := book("func double(x int) int { return 2 * x }", "%%\nfmt.Println(double(21))", " \n", "%%\npanic(1)", "%%\npanic(2)", "%%\nfmt.Print(4)")
	nb.Cells = slices.Insert(nb.Cells, 1, &notebook.Cell{ID: "text", Type: notebook.Markdown, Source: "%%\nnot code"})
	tag(nb.Cells[4], "skip-execution")
	tag(nb.Cells[5], "other", "raises-exception")
	var seen []int
	err := kernel.ExecuteNotebook(t.Context(), start(t), nb, kernel.NotebookOptions{
		Timeout: time.Minute,
		OnCell:  func(index, total int) { seen = append(seen, index, total) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{0, 7, 2, 7, 3, 7, 4, 7, 5, 7, 6, 7}; !slices.Equal(seen, want) {
		t.Errorf("called for %v, want %v", seen, want)
	}
	var got []string
	for _, cell := range nb.Cells {
		count := 0
		if cell.ExecutionCount != nil {
			count = *cell.ExecutionCount
		}
		kinds := ""
		for _, o := range cell.Outputs {
			kinds += " " + string(o.Type)
		}
		got = append(got, fmt.Sprintf("%s %d%s", cell.ID, count, kinds))
	}
	want := []string{"a 1", "text 0", "b 2 stream", "c 0", "d 0", "e 3 stream error", "f 4 stream"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := nb.Validate(); err != nil {
		t.Error(err)
	}
}

func TestExecuteNotebookStopsAtTheFirstError(t *testing.T) {
	for _, test := range []struct {
		name, source string
		tags         []any
		timeout      time.Duration
		inner        bool // the cell did not run to its end
		want         string
	}{
		{"panic", "%%\npanic(\"dear me\")", nil, time.Minute, false, "cell 2 (id \"b\"): ERROR: exit status 2\npanic: dear me"},
		{"time-out", "%%\nfor {}", []any{"raises-exception"}, 10 * time.Second, true, "cell 2 (id \"b\"): the cell ran longer than 10s"},
		{"death", "!kill -9 $PPID; sleep 100", []any{"raises-exception"}, time.Minute, true, "cell 2 (id \"b\"): the kernel died (signal: killed)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			nb := book("%%\nfmt.Print(1)", test.source, "%%\nfmt.Print(3)")
			tag(nb.Cells[1], test.tags...)
			err := kernel.ExecuteNotebook(t.Context(), start(t), nb, kernel.NotebookOptions{Timeout: test.timeout})
			failed, ok := errors.AsType[*kernel.CellError](err)
			if !ok {
				t.Fatalf("got %v, want a CellError", err)
			}
			if failed.Index != 1 || failed.ID != "b" || (failed.Err != nil) != test.inner {
				t.Errorf("got %+v", failed)
			}
			if !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("got %q, want %q first, without colours", err, test.want)
			}
			if len(nb.Cells[0].Outputs) != 1 || nb.Cells[0].Outputs[0].Text != "1" || len(nb.Cells[2].Outputs) != 0 {
				t.Errorf("outputs around the failure: %+v, %+v", nb.Cells[0].Outputs, nb.Cells[2].Outputs)
			}
		})
	}
}

// A cell may update what an earlier one displays. The cells speak GoNB's
// protocol themselves, as notebooks of others do through gonbui.
func TestDisplayUpdates(t *testing.T) {
	nb := book(`import (
	"encoding/gob"
	"os"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)
func show(text string) {
	pipe, err := os.OpenFile(os.Getenv(protocol.GONB_PIPE_ENV), os.O_WRONLY, 0)
	if err != nil { panic(err) }
	defer pipe.Close()
	err = gob.NewEncoder(pipe).Encode(&protocol.DisplayData{
		Data: map[protocol.MIMEType]any{protocol.MIMETextPlain: text}, DisplayID: "one"})
	if err != nil { panic(err) }
	time.Sleep(2 * time.Second) // GoNB does not tell when it has read the pipe
}`, "%%\nshow(\"first\")", "%%\nshow(\"second\")")
	if err := kernel.ExecuteNotebook(t.Context(), start(t), nb, kernel.NotebookOptions{Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if got := summary(nb.Cells[1].Outputs); got != "display_data map[\"text/plain\":\"second\"]\n" {
		t.Errorf("the display shows %s", got)
	}
	if got := summary(nb.Cells[2].Outputs); got != "" {
		t.Errorf("the update shows %s", got)
	}
}

// The runner executes notebooks that it has never seen: GoNB's own.
func TestNotebooksOfOthers(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/janpfeifer/gonb").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"functions", "init", "vartuple", "bash_script"} {
		t.Run(name, func(t *testing.T) {
			nb, err := notebook.Read(filepath.Join(strings.TrimSpace(string(dir)), "examples", "tests", name+".ipynb"))
			if err != nil {
				t.Fatal(err)
			}
			if err := kernel.ExecuteNotebook(t.Context(), start(t), nb, kernel.NotebookOptions{Timeout: time.Minute}); err != nil {
				t.Fatal(err)
			}
			outputs := 0
			for _, cell := range nb.Cells {
				outputs += len(cell.Outputs)
			}
			if outputs == 0 {
				t.Error("it has no output")
			}
			if err := nb.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

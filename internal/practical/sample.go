package practical

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"manyhands/internal/notebook"
)

// Sample returns the notebook of student number i of an invented class, to try a
// grader on: some leave questions open, most get something wrong, one in five has
// everything right. Everybody writes a remark of their own, so that no two
// answers are the same text.
func (p *Practical) Sample(i int) *notebook.Notebook {
	nb := p.Release()
	for n, q := range p.Questions {
		c := nb.Cells[cellOf(nb, q)]
		choice := (i*7 + n*3) % 5
		switch {
		case i%5 > 0 && choice == 1: // left open
		case q.Written:
			c.Source = fmt.Sprintf("I, student %d, think: %s", i, q.Cell.Source)
		case i%5 > 0 && choice >= 3 && len(q.Wrong) > 0:
			c.Source = q.Wrong[(i+n)%len(q.Wrong)].Cell.Source + fmt.Sprintf("\n\n// by student %d", i)
		default:
			c.Source = q.Solved() + fmt.Sprintf("\n\n// by student %d", i)
		}
	}
	return nb
}

func cellOf(nb *notebook.Notebook, q *Question) int {
	return slices.IndexFunc(nb.Cells, func(c *notebook.Cell) bool { return c.ID == q.ID })
}

// HandedIn returns the file that student number i of an invented class hands in:
// that of [Practical.Sample], but every other student has a mishap, or means harm,
// in the first question that is answered in code.
func (p *Practical) HandedIn(i int) ([]byte, error) {
	nb := p.Sample(i)
	if i%2 == 1 {
		m := mishaps[i/2%len(mishaps)]
		if m.file {
			return []byte(m.text), nil
		}
		q := p.Questions[slices.IndexFunc(p.Questions, func(q *Question) bool { return !q.Written })]
		m.befall(nb, q)
	}
	var b bytes.Buffer
	err := nb.Encode(&b)
	return b.Bytes(), err
}

// A mishap is what a class hands in that is no honest answer.
type mishap struct {
	text   string
	file   bool // text is the whole file
	body   bool // text is the first statement of the solution's function
	change func(nb *notebook.Notebook, cell int)
}

// befall changes a notebook; where nothing else is said, text comes ahead of the
// solution.
func (m mishap) befall(nb *notebook.Notebook, q *Question) {
	at := cellOf(nb, q)
	source := q.Solved()
	switch {
	case m.change != nil:
		nb.Cells[at].Source = source
		m.change(nb, at)
	case m.body:
		head, body, _ := strings.Cut(source, ") {\n")
		nb.Cells[at].Source = head + ") {\n\t" + m.text + "\n" + body
	default:
		nb.Cells[at].Source = m.text + "\n" + source
	}
}

var mishaps = []mishap{
	{body: true, text: "for {\n\t}"},
	{file: true},
	{body: true, text: "var all [][]byte\n\tfor {\n\t\tb := make([]byte, 64<<20)\n\t\tfor i := 0; i < len(b); i += 4096 {\n\t\t\tb[i] = 1\n\t\t}\n\t\tall = append(all, b)\n\t}"},
	{text: "!rm -rf ~\n%goflags -race=0"},
	{text: "import \"os\"\n\nfunc init() { os.Exit(0) }"},
	{file: true, text: "I could not do it, sorry."},
	{body: true, text: "for {\n\t\tfmt.Print(strings.Repeat(\"PASS\\n\", 1<<20))\n\t}"},
	{change: func(nb *notebook.Notebook, cell int) { nb.Cells = slices.Delete(nb.Cells, cell, cell+1) }},
	{text: "import \"syscall\"\n\nfunc bomb() {\n\tfor {\n\t\tsyscall.ForkExec(\"/proc/self/exe\", nil, nil)\n\t}\n}"},
	{change: func(nb *notebook.Notebook, cell int) { // copied in JupyterLab, and then spoilt above
		spoilt := *nb.Cells[cell]
		spoilt.ID, spoilt.Source = "copy", "panic(1)"
		nb.Cells = slices.Insert(nb.Cells, cell, &spoilt)
	}},
	{text: "//go:embed /etc/passwd\nvar secret string\n"},
	{change: func(nb *notebook.Notebook, cell int) {
		nb.Metadata["kernelspec"] = map[string]any{"name": "python3", "display_name": "Python 3", "language": "python"}
	}},
	{body: true, text: "for {\n\t\tgo func() { select {} }()\n\t}"},
	{change: func(nb *notebook.Notebook, _ int) {
		for i, c := range nb.Cells {
			if strings.HasPrefix(c.Source, "%test") {
				nb.Cells[i].Source = "%test\nfunc TestAll(t *testing.T) { fmt.Println(\"PASS\") }"
			}
		}
	}},
	{text: "%%bash\nrm -rf /"},
}

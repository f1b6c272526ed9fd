package practical

import (
	"fmt"

	"manyhands/internal/notebook"
)

// Sample returns the notebook of student number i of an invented class, to try a
// grader on: some leave questions open, most get something wrong, one in five has
// everything right. Everybody writes a remark of their own, so that no two
// answers are the same text.
func (p *Practical) Sample(i int) *notebook.Notebook {
	nb := p.Release()
	for n, q := range p.Questions {
		for _, c := range nb.Cells {
			if c.ID != q.ID {
				continue
			}
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
	}
	return nb
}

package timeline

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	textWidth = 100 // columns
	textLanes = 40  // lanes drawn; more would not be read
	textName  = 24  // columns of a lane's name at most
)

// glyphs draw the states; a state of the program's own gets the next of others.
var (
	glyphs = map[State]rune{
		Running: '█', Runnable: '!', Blocked: '·', Syscall: '▒', Waiting: '░', GC: '◆', Mixed: '▚',
	}
	others = []rune("abcdefghijklmnopqrstuvwxyz")
)

// String draws the timeline as text, at most 100 columns wide: a row per lane,
// the state that filled most of each column, and a legend. Of more than 40 lanes
// it draws the first.
func (t *Timeline) String() string {
	if len(t.Lanes) == 0 || t.Length <= 0 {
		return "empty timeline\n"
	}
	lanes := t.Lanes[:min(len(t.Lanes), textLanes)]
	name := 0
	for _, l := range lanes {
		name = max(name, min(utf8.RuneCountInString(l.Name), textName))
	}
	width := textWidth - name - 2
	legend := newLegend()
	var b strings.Builder
	for _, l := range lanes {
		fmt.Fprintf(&b, "%-*s │%s\n", name, shorten(l.Name, name), legend.row(l, t.Length, width))
	}
	if n := len(t.Lanes) - len(lanes); n > 0 {
		fmt.Fprintf(&b, "… and %d more lanes\n", n)
	}
	length := roundTime(t.Length).String()
	fmt.Fprintf(&b, "%*s └0%s%s\n", name, "", strings.Repeat("─", max(1, width-1-len(length))), length)
	fmt.Fprintf(&b, "%*s  %s\n", name, "", legend.text(width))
	if note := t.Omitted.String(); note != "" {
		fmt.Fprintf(&b, "%*s  %s\n", name, "", note)
	}
	return b.String()
}

// A legend remembers which states were drawn, and how.
type legend struct {
	states []State
	glyph  map[State]rune
}

func newLegend() *legend { return &legend{glyph: map[State]rune{}} }

// known returns state, or Mixed for one more than can be told apart.
func (g *legend) known(state State) State {
	if _, ok := g.glyph[state]; ok || len(g.states) < len(others) {
		return state
	}
	return Mixed
}

func (g *legend) draw(state State) rune {
	r, ok := g.glyph[state]
	if !ok {
		if r, ok = glyphs[state]; !ok {
			r = others[len(g.states)%len(others)]
		}
		g.glyph[state] = r
		g.states = append(g.states, state)
	}
	return r
}

// text lists as many states as fit into width columns.
func (g *legend) text(width int) string {
	var b strings.Builder
	for _, s := range g.states {
		entry := string(g.glyph[s]) + " " + shorten(string(s), textName) + "  "
		if width -= utf8.RuneCountInString(entry); width < 0 {
			return b.String() + "…"
		}
		b.WriteString(entry)
	}
	return strings.TrimSpace(b.String())
}

// row draws a lane in width columns of an equal share of length each.
func (g *legend) row(l Lane, length time.Duration, width int) string {
	perColumn := float64(length) / float64(width)
	most := make([]float64, width) // time of the state that leads in the column
	row := slices.Repeat([]rune{' '}, width)
	share := map[State][]float64{}
	for _, s := range l.Spans {
		first := clampColumn(float64(s.Start)/perColumn, width)
		last := max(first, clampColumn(math.Ceil(float64(s.End)/perColumn-1e-6)-1, width)) // End is not in it
		if s.End < s.Start {
			continue
		}
		state := g.known(s.State)
		in := share[state]
		if in == nil {
			in = make([]float64, width)
			share[state] = in
		}
		for c := first; c <= last; c++ {
			from := max(float64(s.Start), float64(c)*perColumn)
			to := min(float64(s.End), float64(c+1)*perColumn)
			in[c] += max(to-from, 0)
			if in[c] > most[c] {
				most[c], row[c] = in[c], g.draw(state)
			}
		}
	}
	return strings.TrimRight(string(row), " ")
}

func clampColumn(x float64, width int) int { return int(min(max(x, 0), float64(width-1))) }

// roundTime rounds to three or four digits, as much as a reader takes in.
func roundTime(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 10_000 {
		unit *= 10
	}
	return d.Round(unit)
}

// shorten cuts s to n columns, all printable; it is the end that tells names
// apart.
func shorten(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return "…" + string(r[len(r)-n+1:])
}

package site

import (
	"cmp"
	"slices"
)

// courseMap is the course as a map: a row for each step from the first lessons
// on, a line from each lesson to those that build on it.
type courseMap struct {
	Width, Height int
	Places        []place
	Roads         []road
}

// place is a lesson on the map; X and Y are the middle of its box, in pixels.
type place struct {
	entry
	X, Y, Width int
}

// Left is where the box begins, seen from its middle.
func (p place) Left() int { return -p.Width / 2 }

// road leads from below one box to above another.
type road struct{ X1, Y1, X2, Y2, Middle int }

const (
	mapWidth  = 832
	mapRow    = 84
	mapBox    = 52 // the height of a box
	mapGap    = 8  // between the boxes of a row, which get narrower where they are many
	mapPlaces = 40 // a folder of more is no course that a map helps with
)

// drawMap returns the map of the lessons, nil where none builds on another.
func drawMap(lessons []entry) *courseMap {
	if len(lessons) > mapPlaces {
		return nil
	}
	steps := stepsTo(lessons)
	var rows [][]entry
	for _, e := range lessons {
		for len(rows) <= steps[e.Name] {
			rows = append(rows, nil)
		}
		rows[steps[e.Name]] = append(rows[steps[e.Name]], e)
	}
	rows = slices.DeleteFunc(rows, func(row []entry) bool { return len(row) == 0 })
	if len(rows) < 2 {
		return nil
	}
	m := &courseMap{Width: mapWidth, Height: len(rows) * mapRow}
	at := map[string]place{}
	for step, row := range rows {
		above := func(e entry) int { // where most of what it builds on stands
			sum, n := 0, 0
			for _, name := range e.Needs {
				if p, ok := at[name]; ok {
					sum, n = sum+p.X, n+1
				}
			}
			return sum / max(n, 1)
		}
		slices.SortStableFunc(row, func(a, b entry) int { return cmp.Compare(above(a), above(b)) })
		for i, e := range row {
			width := mapWidth / max(len(row), 4)
			at[e.Name] = place{e, mapWidth * (2*i + 1) / (2 * len(row)), mapRow*step + mapRow/2, width - mapGap}
			m.Places = append(m.Places, at[e.Name])
		}
	}
	for _, to := range m.Places {
		for _, name := range to.Needs {
			from, ok := at[name]
			if ok && !builtOn(lessons, to, name) {
				m.Roads = append(m.Roads, road{from.X, from.Y + mapBox/2, to.X, to.Y - mapBox/2, (from.Y + to.Y) / 2})
			}
		}
	}
	return m
}

// stepsTo says for each lesson how many others one has to have read before, at
// the longest way to it.
func stepsTo(lessons []entry) map[string]int {
	steps := map[string]int{}
	for range lessons { // each round settles at least one more; a circle settles none and ends here, too
		for _, e := range lessons {
			steps[e.Name] = max(steps[e.Name], 0)
			for _, name := range e.Needs {
				if before, ok := steps[name]; ok && name != e.Name {
					steps[e.Name] = min(max(steps[e.Name], before+1), len(lessons)-1)
				}
			}
		}
	}
	return steps
}

// builtOn tells whether a lesson that to needs builds on name itself: then the
// map has that way already.
func builtOn(lessons []entry, to place, name string) bool {
	needs := map[string][]string{}
	for _, e := range lessons {
		needs[e.Name] = e.Needs
	}
	seen := map[string]bool{}
	var leads func(from string) bool
	leads = func(from string) bool {
		if seen[from] {
			return false
		}
		seen[from] = true
		return slices.ContainsFunc(needs[from], func(n string) bool { return n == name || leads(n) })
	}
	return slices.ContainsFunc(to.Needs, func(n string) bool { return n != name && leads(n) })
}

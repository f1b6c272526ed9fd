package lesson

import (
	"maps"
	"slices"
	"strings"
)

// Tags are the tags that a cell may have, and what each means. Another tag is an error, so that a misspelt one is found.
var Tags = map[string]string{
	"python":           "the Python counterpart of the Go code before it; left out, with a word, where Python is missing",
	"optional":         "extra depth that a class short of time may leave out",
	"exercise":         "a task for the reader, with the starter code",
	"hint":             "a hint for the exercise before it, folded until asked for",
	"solution":         "a solution of the exercise before it, folded until asked for",
	"answer":           "a place for a written answer",
	"raises-exception": "the cell fails on purpose; the run goes on behind it (Jupyter's own tag)",
	"hide-input":       "the site folds the cell's code and shows its output",
	"slide":            "the cell starts a slide",
	"notes":            "notes for the instructor, not shown to readers",
}

// knownTags lists the tags for an error.
func knownTags() string { return strings.Join(slices.Sorted(maps.Keys(Tags)), ", ") }

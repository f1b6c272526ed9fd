package kernel

import (
	"path/filepath"
	"regexp"
	"strings"
)

// cleaner returns the function that takes out of a text what differs from run
// to run and machine to machine: the kernel's temporary folder, GoNB's work
// folder below it (the cell's own files keep their names), and hidden folders.
func cleaner(home string, hidden []string) func(string) string {
	work := regexp.MustCompile(`(?:(?:/private)?(?:` + regexp.QuoteMeta(home) + `|/tmp)/)?gonb_[0-9a-f]{8}\b(/?)`)
	pairs := []string{"/private" + home, "/tmp", home, "/tmp"}
	for _, dir := range hidden {
		if dir = filepath.Clean(dir); dir != "/" {
			pairs = append(pairs, dir+"/", "", dir, ".")
		}
	}
	shorten := strings.NewReplacer(pairs...)
	return func(text string) string {
		text = work.ReplaceAllStringFunc(text, func(path string) string {
			if strings.HasSuffix(path, "/") {
				return ""
			}
			return "gonb"
		})
		return shorten.Replace(text)
	}
}

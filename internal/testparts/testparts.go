// Package testparts gives tests the parts of a machine that the course can do
// without, such as Python. Where a part is missing the test says so and is
// skipped; under MANYHANDS_TEST_ALL=1, as in continuous integration, it fails,
// so that nothing passes there by not being run.
package testparts

import (
	"os"
	"os/exec"
	"testing"

	"manyhands/internal/course"
	"manyhands/internal/progress"
	"manyhands/internal/pyenv"
)

// All reports whether every part has to be there.
func All() bool { return os.Getenv("MANYHANDS_TEST_ALL") == "1" }

// Missing ends the test, for want of what is said.
func Missing(t testing.TB, what any) {
	t.Helper()
	if All() {
		t.Fatal(what)
	}
	t.Skip(what)
}

// Python returns the interpreter of the course's own environment, which has
// all packages of tools/requirements.txt. Where all parts have to be there it
// makes the environment; elsewhere it takes no download upon itself.
func Python(t testing.TB) string {
	t.Helper()
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	if err := pyenv.State(t.Context(), c); err == nil {
		return pyenv.Of(c).Python()
	} else if !All() {
		Missing(t, err)
	}
	bars := progress.New(t.Output())
	defer bars.Wait()
	env, err := pyenv.Ensure(t.Context(), c, bars)
	if err != nil {
		t.Fatal(err)
	}
	return env.Python()
}

// Program returns the path of the first of the programs that is on PATH, or
// ends the test with a word on how to get it.
func Program(t testing.TB, get string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	Missing(t, names[0]+" is not on PATH: "+get)
	return ""
}

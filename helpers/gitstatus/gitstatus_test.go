package gitstatus_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"manyhands/helpers/gitstatus"
	"manyhands/internal/testparts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A repo is a repository to make in a test, with real git.
type repo struct {
	tb   testing.TB
	path string
}

// git runs git with nobody's settings but these.
func (r repo) git(args ...string) {
	r.tb.Helper()
	cmd := exec.CommandContext(r.tb.Context(), "git", append([]string{"-C", r.path, "-c", "user.name=Ada", "-c", "user.email=ada@example.org",
		"-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		r.tb.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// write writes a file of the work tree.
func (r repo) write(name, text string) {
	r.tb.Helper()
	if err := os.WriteFile(filepath.Join(r.path, name), []byte(text), 0o644); err != nil {
		r.tb.Fatal(err)
	}
}

// commit commits a file.
func (r repo) commit(name, text string) {
	r.tb.Helper()
	r.write(name, text)
	r.git("add", name)
	r.git("commit", "-q", "-m", name)
}

// initialise makes an empty repository in a new folder.
func initialise(tb testing.TB, path string, args ...string) repo {
	tb.Helper()
	testparts.Program(tb, "get it from your system's packages", "git")
	if err := os.MkdirAll(path, 0o755); err != nil {
		tb.Fatal(err)
	}
	r := repo{tb, path}
	r.git(append([]string{"init", "-q"}, args...)...)
	return r
}

// shared makes a bare repository with one commit, and returns what clones it.
func shared(tb testing.TB) (clone func(path string) repo) {
	tb.Helper()
	dir := tb.TempDir()
	first := initialise(tb, filepath.Join(dir, "first"))
	first.commit("a.txt", "a")
	first.commit("? old.txt", "old") // looks like an untracked file in git's output
	first.git("clone", "-q", "--bare", ".", filepath.Join(dir, "shared.git"))
	return func(path string) repo {
		tb.Helper()
		first.git("clone", "-q", filepath.Join(dir, "shared.git"), path)
		return repo{tb, path}
	}
}

// TestUnder makes a repository for each thing there is to tell.
func TestUnder(t *testing.T) {
	top, clone := t.TempDir(), shared(t)
	want := make(map[string]gitstatus.Status)
	at := func(name string, s gitstatus.Status) repo {
		r := clone(filepath.Join(top, name))
		want[name] = s
		return r
	}
	main := gitstatus.Status{Branch: "main", Upstream: "origin/main"}
	with := func(change func(*gitstatus.Status)) gitstatus.Status {
		s := main
		change(&s)
		return s
	}

	at("clean", main)
	at("deep/er/clean", main)
	r := at("changed", with(func(s *gitstatus.Status) { s.Changed = 2 }))
	r.write("a.txt", "another")
	r.write("staged.txt", "new")
	r.git("add", "staged.txt")
	r = at("renamed", with(func(s *gitstatus.Status) { s.Changed, s.Untracked = 1, 1 }))
	r.git("mv", "? old.txt", "new.txt")
	r.write("name\nwith a line's end", "")
	r = at("deleted", with(func(s *gitstatus.Status) { s.Changed = 1 }))
	if err := os.Remove(filepath.Join(r.path, "a.txt")); err != nil {
		t.Fatal(err)
	}
	r = at("ahead", with(func(s *gitstatus.Status) { s.Ahead, s.Unpushed = 2, 2 }))
	r.commit("b.txt", "b")
	r.commit("c.txt", "c")
	r = at("behind", with(func(s *gitstatus.Status) { s.Behind = 1 }))
	pusher := clone(filepath.Join(t.TempDir(), "pusher"))
	pusher.commit("p.txt", "p")
	pusher.git("push", "-q", "origin", "HEAD:main")
	r.git("fetch", "-q")
	r = at("other branch", with(func(s *gitstatus.Status) { s.Unpushed = 1 }))
	r.git("reset", "-q", "--hard", "origin/main")
	r.git("switch", "-q", "-c", "side")
	r.commit("d.txt", "d")
	r.git("switch", "-q", "main")
	r = at("no upstream", gitstatus.Status{Branch: "topic", Unpushed: 1})
	r.git("switch", "-q", "-c", "topic")
	r.commit("e.txt", "e")
	r = at("detached", gitstatus.Status{Detached: true})
	r.git("checkout", "-q", "--detach")
	r = at("detached work", gitstatus.Status{Detached: true, Unpushed: 1})
	r.git("checkout", "-q", "--detach")
	r.commit("f.txt", "f")
	r = at("orphan", gitstatus.Status{Branch: "fresh", Unpushed: 1}) // a branch without a commit
	r.commit("h.txt", "h")
	r.git("switch", "-q", "--orphan", "fresh")
	r = at("hidden", with(func(s *gitstatus.Status) { s.Untracked = 1 })) // by the user's settings
	r.git("config", "status.showUntrackedFiles", "no")
	r.write("notes.txt", "")
	r = at("stashed", with(func(s *gitstatus.Status) { s.Stashed = 1 }))
	r.write("a.txt", "put aside")
	r.git("stash", "-q")
	r = at("conflict", with(func(s *gitstatus.Status) { s.Conflicts, s.Ahead, s.Unpushed = 1, 1, 2 }))
	r.git("switch", "-q", "-c", "side")
	r.commit("a.txt", "theirs")
	r.git("switch", "-q", "main")
	r.commit("a.txt", "ours")
	if err := exec.Command("git", "-C", r.path, "-c", "user.name=Ada", "-c", "user.email=a@example.org", "merge", "-q", "side").Run(); err == nil {
		t.Fatal("no conflict")
	}
	r = at("with a work tree", with(func(s *gitstatus.Status) { s.Unpushed = 1 }))
	r.git("worktree", "add", "-q", "-b", "linked", "../linked")
	repo{t, filepath.Join(top, "linked")}.commit("g.txt", "g")
	want["linked"] = gitstatus.Status{Branch: "linked", Unpushed: 1}
	initialise(t, filepath.Join(top, "empty"))
	want["empty"] = gitstatus.Status{Branch: "main"}
	initialise(t, filepath.Join(top, "bare.git"), "--bare") // has no status
	if err := os.MkdirAll(filepath.Join(top, "no repository", "here"), 0o755); err != nil {
		t.Fatal(err)
	}
	// One in another is git's to tell about.
	initialise(t, filepath.Join(top, "deep", "er", "clean", "inner"))
	s := want["deep/er/clean"]
	s.Untracked = 1
	want["deep/er/clean"] = s

	t.Setenv("GIT_DIR", filepath.Join(top, "changed", ".git")) // as in a hook
	for _, limit := range []int{0, 1, 3} {
		got := make(map[string]gitstatus.Status)
		for s, err := range gitstatus.Under(t.Context(), limit, top) {
			if err != nil {
				t.Error(err)
			}
			name, err := filepath.Rel(top, s.Path)
			if err != nil {
				t.Error(err)
			}
			if (s.Commit == "") != (name == "empty" || name == "orphan") {
				t.Errorf("%s: commit %q", name, s.Commit)
			}
			s.Path, s.Commit = "", ""
			got[filepath.ToSlash(name)] = s
		}
		for name, s := range want {
			if got[name] != s {
				t.Errorf("limit %d: %s:\n%+v instead of\n%+v", limit, name, got[name], s)
			}
		}
		if len(got) != len(want) {
			t.Errorf("limit %d: %d repositories instead of %d", limit, len(got), len(want))
		}
	}
	clean := 0
	for _, s := range want {
		if s.Clean() {
			clean++
		}
	}
	if clean != 2 || !want["clean"].Clean() || !want["empty"].Clean() {
		t.Errorf("%d clean", clean)
	}
}

// TestNamedOtherwise looks at folders that are not given as what they are.
func TestNamedOtherwise(t *testing.T) {
	top, clone := t.TempDir(), shared(t)
	clone(filepath.Join(top, "inside"))
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(top, link); err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]string{
		top + "/": filepath.Join(top, "inside"), link: filepath.Join(link, "inside"),
		filepath.Join(top, "inside", "a.txt"): "not a directory", filepath.Join(top, "away"): "no such file",
	} {
		var got []string
		for s, err := range gitstatus.Under(t.Context(), 1, folder) {
			if err != nil {
				got = append(got, err.Error())
			} else {
				got = append(got, s.Path)
			}
		}
		if len(got) != 1 || !strings.HasSuffix(got[0], want) && !strings.Contains(got[0], want) {
			t.Errorf("under %s: %q, want %q", folder, got, want)
		}
	}
}

// TestBroken sees that a broken repository is told of by its path, and that
// git does not go up to one that is not.
func TestBroken(t *testing.T) {
	top := initialise(t, filepath.Join(t.TempDir(), "top"))
	for _, name := range []string{"good", "broken"} {
		initialise(t, filepath.Join(top.path, "below", name))
	}
	broken := filepath.Join(top.path, "below", "broken")
	if err := os.Remove(filepath.Join(broken, ".git", "HEAD")); err != nil {
		t.Fatal(err)
	}
	var good, bad []string
	below, gone := filepath.Join(top.path, "below"), filepath.Join(top.path, "gone")
	for s, err := range gitstatus.Under(t.Context(), 0, gone, below) {
		if err != nil {
			bad = append(bad, s.Path)
			if !strings.Contains(err.Error(), s.Path) {
				t.Errorf("the error does not name %s: %v", s.Path, err)
			}
		} else {
			good = append(good, s.Path)
		}
	}
	slices.Sort(bad)
	if !slices.Equal(good, []string{filepath.Join(below, "good")}) || !slices.Equal(bad, []string{broken, gone}) {
		t.Errorf("good %v, bad %v", good, bad)
	}
	t.Chdir(broken)
	if s, err := gitstatus.Of(t.Context(), "."); err == nil {
		t.Errorf("%+v", s)
	}
}

func TestNoGit(t *testing.T) {
	initialise(t, filepath.Join(t.TempDir(), "r"))
	top := initialise(t, t.TempDir()).path
	t.Setenv("PATH", t.TempDir())
	if _, err := gitstatus.Of(t.Context(), top); err == nil || !strings.Contains(err.Error(), "install git") {
		t.Error(err)
	}
}

// TestBreak leaves the loop after the first of many; goleak sees that no
// goroutine is left.
func TestBreak(t *testing.T) {
	top := t.TempDir()
	for i := range 20 {
		initialise(t, filepath.Join(top, fmt.Sprint(i)))
	}
	for range gitstatus.Under(t.Context(), 4, top) {
		break
	}
}

func ExampleUnder() {
	for s, err := range gitstatus.Under(context.Background(), 8, "/home/ada/src") {
		switch {
		case err != nil:
			fmt.Println(err)
		case !s.Clean():
			fmt.Println(s.Path, s.Branch, s.Changed, s.Unpushed)
		}
	}
}

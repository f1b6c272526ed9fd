// Package gitstatus tells, of all git repositories under some folders at once,
// what in them exists on this machine only: changes that are not committed, and
// commits that are not pushed.
//
//	for status, err := range gitstatus.Under(ctx, 8, "/home/ada/src") {
//		…
//	}
//
// It asks the git that is installed, two commands for each repository,
// and changes nothing. Git itself is one goroutine's worth of work in a process
// of its own; what is gained by several at once is the machine's other cores,
// and the time in which one waits for the disk.
package gitstatus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"manyhands/helpers/stream"
)

// A Status is the state of a repository's work tree. What the remote side has
// is what it had when it was last asked (git fetch).
type Status struct {
	Path      string `json:"path"`
	Branch    string `json:"branch,omitempty"` // checked out; "" if the head is detached
	Commit    string `json:"commit,omitempty"` // checked out; "" if there is none yet
	Detached  bool   `json:"detached"`
	Upstream  string `json:"upstream,omitempty"` // the branch that Branch follows; "" if none
	Ahead     int    `json:"ahead"`              // commits that Upstream does not have
	Behind    int    `json:"behind"`             // commits that Upstream has, but not Branch
	Changed   int    `json:"changed"`            // files that differ from the commit, staged or not
	Conflicts int    `json:"conflicts"`          // files left half-merged
	Untracked int    `json:"untracked"`          // files and folders that git does not know, nor ignores
	Stashed   int    `json:"stashed"`            // changes put aside by git stash
	Unpushed  int    `json:"unpushed"`           // commits that no remote branch has, on any branch or none
}

// Clean reports whether there is nothing to commit, push, pull or think of.
func (s Status) Clean() bool {
	return !s.Detached && s.Ahead+s.Behind+s.Changed+s.Conflicts+s.Untracked+s.Stashed+s.Unpushed == 0
}

// Under yields the status of every repository in and below the folders as it
// comes, at most limit of them asked at once (1: one after another; 0: no
// limit). Below a repository it looks for no other: git tells of its
// submodules. Links are not followed, and repositories without a work tree left
// out.
//
// An error comes with a Status of which only the Path counts: a folder that
// could not be read, or a repository that git could not tell about; the rest
// goes on. When ctx ends its cause is the last error, and the processes that
// were started are gone, with those that they had started.
func Under(ctx context.Context, limit int, folders ...string) iter.Seq2[Status, error] {
	return stream.Map(ctx, limit, repositories(ctx, folders), func(ctx context.Context, f place) (Status, error) {
		if f.err != nil {
			return Status{Path: f.path}, f.err
		}
		return Of(ctx, f.path)
	})
}

// A place is a repository, or a folder that could not be read.
type place struct {
	path string
	err  error
}

// errEnough ends a walk.
var errEnough = errors.New("enough")

// repositories yields the repositories in and below the folders.
func repositories(ctx context.Context, folders []string) iter.Seq[place] {
	return func(yield func(place) bool) {
		visit := func(path string, d fs.DirEntry, err error) error {
			if err == nil && (!d.IsDir() || !isRepository(path)) {
				return ctx.Err()
			}
			if !yield(place{filepath.Clean(path), err}) {
				return errEnough
			}
			return fs.SkipDir
		}
		for _, folder := range folders {
			// With a slash at its end a link is the folder that it leads to.
			if filepath.WalkDir(strings.TrimRight(folder, "/")+"/", visit) != nil {
				return
			}
		}
	}
}

// isRepository reports whether git keeps its data here; in a linked work tree
// and in a submodule, .git is a file.
func isRepository(path string) bool {
	_, err := os.Lstat(filepath.Join(path, ".git"))
	return err == nil
}

// Of returns the status of the repository whose work tree's top folder is path.
func Of(ctx context.Context, path string) (Status, error) {
	s := Status{Path: path}
	out, err := git(ctx, path, "status", "--porcelain=v2", "-z", "--branch", "--show-stash", "--untracked-files=normal")
	if err != nil {
		return s, err
	}
	s.read(out)
	commits := []string{"rev-list", "--count", "--branches", "--not", "--remotes"}
	if s.Commit != "" { // which need not be on a branch
		commits = slices.Insert(commits, 2, "HEAD")
	}
	out, err = git(ctx, path, commits...)
	if err != nil {
		return s, err
	}
	s.Unpushed, err = strconv.Atoi(strings.TrimSpace(string(out)))
	return s, err
}

// read reads what git status wrote: see "Porcelain Format Version 2" in its
// manual.
func (s *Status) read(out []byte) {
	lines := strings.Split(string(out), "\x00")
	for i := 0; i < len(lines); i++ {
		kind, rest, _ := strings.Cut(lines[i], " ")
		switch kind {
		case "#":
			s.header(rest)
		case "1":
			s.Changed++
		case "2":
			s.Changed++
			i++ // the name that the file had before
		case "u":
			s.Conflicts++
		case "?":
			s.Untracked++
		}
	}
}

// header reads a header line.
func (s *Status) header(line string) {
	key, value, _ := strings.Cut(line, " ")
	switch key {
	case "branch.oid":
		if value != "(initial)" {
			s.Commit = value
		}
	case "branch.head":
		if s.Detached = value == "(detached)"; !s.Detached {
			s.Branch = value
		}
	case "branch.upstream":
		s.Upstream = value
	case "branch.ab":
		fmt.Sscanf(value, "+%d -%d", &s.Ahead, &s.Behind)
	case "stash":
		s.Stashed, _ = strconv.Atoi(value)
	}
}

// git runs a command of git in a repository and returns what it printed.
func git(ctx context.Context, path string, args ...string) ([]byte, error) {
	top, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// Linux kills a child when the thread that started it ends, so the thread has
	// to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, "git", slices.Concat([]string{
		"--no-optional-locks",         // we are only looking
		"-c", "core.fsmonitor=false"}, // or git would leave a daemon behind in each repository that wants one
		args)...)
	cmd.Dir = path
	// Where the repository is broken git would go up and tell of another one.
	cmd.Env = append(environment(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(top))
	cmd.WaitDelay = time.Second
	withChildren(cmd)
	out, err := cmd.Output()
	failed, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case ok:
		return nil, fmt.Errorf("%s: git %s: %w: %s", path, args[0], err, bytes.TrimSpace(failed.Stderr))
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("%w: install git, or put it on the PATH", err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// environment is this program's, less what would lead git to another repository,
// as it does in a hook.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR",
			"GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE", "GIT_PREFIX"}, name)
	})
}

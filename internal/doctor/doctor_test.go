package doctor_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"manyhands/internal/course"
	"manyhands/internal/doctor"
	"manyhands/internal/testparts"
)

// find returns the finding of that name.
func find(t *testing.T, findings []doctor.Finding, name string) doctor.Finding {
	t.Helper()
	i := slices.IndexFunc(findings, func(f doctor.Finding) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("nothing was found out about %s", name)
	}
	return findings[i]
}

func TestThisMachine(t *testing.T) {
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	findings := doctor.Check(t.Context(), c)
	if err := doctor.Verdict(findings); err != nil {
		t.Errorf("these tests run, and yet: %v", err)
	}
	if f := find(t, findings, "Go"); f.State != doctor.OK || !strings.HasPrefix(f.Detail, "go1.") {
		t.Errorf("Go: %+v", f)
	}
	if !testparts.All() {
		return
	}
	for _, name := range []string{"C compiler", "Python", "Git", "Redis", "FFmpeg", "Chromium"} {
		if f := find(t, findings, name); f.State != doctor.OK {
			t.Error(f)
		}
	}
}

// TestBareMachine looks at an empty folder with nothing on PATH.
func TestBareMachine(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	findings := doctor.Check(t.Context(), &course.Course{Root: t.TempDir()})
	err := doctor.Verdict(findings)
	if err == nil || !strings.Contains(err.Error(), "Go: the go command does not run") || strings.Contains(err.Error(), "Python") {
		t.Errorf("the verdict is %v, want that of all parts only Go is lacked", err)
	}
	for _, f := range findings {
		if f.Name == "Machine" || f.Name == "Disk" {
			continue
		}
		if f.State == doctor.OK {
			t.Errorf("found where there is nothing: %v", f)
		}
		if f.Detail == "" || f.For == "" || f.Get == "" {
			t.Errorf("says too little: %#v", f)
		}
	}
}

func TestOneCore(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	f := find(t, doctor.Check(t.Context(), &course.Course{Root: t.TempDir()}), "Machine")
	if f.State != doctor.Missing || !strings.HasPrefix(f.Detail, "1 cores, ") {
		t.Errorf("where Go uses one core: %v", f)
	}
}

// TestLimitedContainer runs this test binary where a control group says that
// half a GiB is left.
func TestLimitedContainer(t *testing.T) {
	look := func(name string) doctor.Finding {
		return find(t, doctor.Check(t.Context(), &course.Course{Root: t.TempDir()}), name)
	}
	if os.Getenv("DOCTOR_IN_CONTAINER") != "" {
		f := look("Machine")
		if f.State != doctor.Missing || !strings.HasSuffix(f.Detail, "0.5 GiB of memory that the container has left") {
			t.Error(f)
		}
		return
	}
	if f := look("Bubblewrap"); f.State != doctor.OK {
		testparts.Missing(t, f)
	}
	group := t.TempDir()
	for name, text := range map[string]string{"memory.max": "1073741824", "memory.current": "536870912"} {
		if err := os.WriteFile(filepath.Join(group, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("bwrap", "--dev-bind", "/", "/", "--bind", group, "/sys/fs/cgroup",
		os.Args[0], "-test.v", "-test.run=^TestLimitedContainer$")
	cmd.Env = append(os.Environ(), "DOCTOR_IN_CONTAINER=1")
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("PASS")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// on puts programs on PATH that tell these versions, before all others.
func on(t *testing.T, versions map[string]string) {
	t.Helper()
	bin := t.TempDir()
	for name, version := range versions {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\necho '"+version+"'\n"), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
}

func TestOldGo(t *testing.T) {
	on(t, map[string]string{"go": "go version go1.24.9 linux/amd64"})
	findings := doctor.Check(t.Context(), &course.Course{Root: t.TempDir()})
	if f := find(t, findings, "Go"); f.State != doctor.Broken || !strings.Contains(f.Detail, "go1.24.9 is older than go1.26") {
		t.Errorf("Go 1.24 counts as %+v", f)
	}
}

func TestBrokenProgram(t *testing.T) {
	on(t, map[string]string{"git": "git version 2.0.1"})
	dir := filepath.SplitList(os.Getenv("PATH"))[0]
	if err := os.WriteFile(filepath.Join(dir, "ffmpeg"), []byte("#!/bin/sh\nexit 1\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	findings := doctor.Check(t.Context(), &course.Course{Root: t.TempDir()})
	if f := find(t, findings, "Git"); f.State != doctor.OK || f.Detail != "2.0.1" {
		t.Errorf("Git: %+v", f)
	}
	if f := find(t, findings, "FFmpeg"); f.State != doctor.Missing || !strings.Contains(f.Detail, "does not run") {
		t.Errorf("an FFmpeg that fails: %+v", f)
	}
}

// TestProgramsThatHang looks at wrappers whose programs outlive them and keep
// their output open.
func TestProgramsThatHang(t *testing.T) {
	bin := t.TempDir()
	const hang = "sleep 60"
	for name, script := range map[string]string{
		"go": hang, "python3": hang, "git": hang, "redis-server": hang, "ffmpeg": hang, "chromium": hang,
		"bwrap": `[ "$1" = --version ] || ` + hang, // so that it is asked for a sandbox too
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	start := time.Now()
	findings := doctor.Check(ctx, &course.Course{Root: t.TempDir()})
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("after one second it went on for %v", took)
	}
	if f := find(t, findings, "FFmpeg"); f.State != doctor.Missing || !strings.Contains(f.Detail, "does not run") {
		t.Errorf("an FFmpeg that hangs: %+v", f)
	}
}

func TestMovedCourse(t *testing.T) {
	c := &course.Course{Root: t.TempDir()}
	spec := c.Path(".venv", "share", "jupyter", "kernels", "gonb", "kernel.json")
	if err := os.MkdirAll(filepath.Dir(spec), 0o777); err != nil {
		t.Fatal(err)
	}
	for argv, want := range map[string]string{
		`["gonb", "-go_work=/elsewhere"]`:     "has moved",
		`["gonb", "-go_work=` + c.Root + `"]`: "gonb in .venv",
		`[`:                                   "invalid character",
	} {
		if err := os.WriteFile(spec, []byte(`{"argv": `+argv+`}`), 0o666); err != nil {
			t.Fatal(err)
		}
		if f := find(t, doctor.Check(t.Context(), c), "Kernelspec"); !strings.Contains(f.Detail, want) {
			t.Errorf("with %s: %+v, want %q", argv, f, want)
		}
	}
}

func TestPrint(t *testing.T) {
	findings := []doctor.Finding{
		{Name: "Go", Detail: "go1.26"},
		{State: doctor.Missing, Name: "Redis", Detail: "not on PATH", For: "lesson 12", Get: "apt"},
	}
	for colour, want := range map[bool]string{
		false: "✓ Go: go1.26\n! Redis: not on PATH; needed for lesson 12; get it: apt\n",
		true:  "\x1b[32m✓\x1b[0m Go: go1.26\n\x1b[33m!\x1b[0m Redis: not on PATH; needed for lesson 12; get it: apt\n",
	} {
		var out bytes.Buffer
		if err := doctor.Print(&out, findings, colour); err != nil || out.String() != want {
			t.Errorf("colour %v: printed %q, %v; want %q", colour, out.String(), err, want)
		}
	}
}

package gonb

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"manyhands/internal/course"
	"manyhands/internal/echarts"
	"manyhands/internal/kernel"
)

//go:embed logo.svg
var logo []byte

// kernelspec is the contents of kernel.json:
// https://jupyter-client.readthedocs.io/en/latest/kernels.html#kernel-specs
type kernelspec struct {
	Argv          []string             `json:"argv"`
	DisplayName   string               `json:"display_name"`
	Language      string               `json:"language"`
	InterruptMode kernel.InterruptMode `json:"interrupt_mode"`
	Env           map[string]string    `json:"env"`
}

// WriteKernelspec makes the kernel known to the Jupyter whose data folder (the
// share/jupyter of a virtual environment) is data. Beside kernel.json it
// writes what charts load in the browser: Jupyter serves that folder. Each
// file is written whole or not at all, kernel.json last.
func (t Toolchain) WriteKernelspec(c *course.Course, data string) error {
	spec, err := t.kernelspec(c)
	if err != nil {
		return err
	}
	dir := filepath.Join(data, "kernels", Name)
	for _, file := range []struct {
		name string
		data []byte
	}{
		{"logo-svg.svg", logo},
		{"echarts.min.js", echarts.Script},
		{"manyhands.js", echarts.Runtime},
		{"kernel.json", spec},
	} {
		if err := write(filepath.Join(dir, file.name), file.data, 0o644); err != nil {
			return fmt.Errorf("write the kernelspec: %w", err)
		}
	}
	return nil
}

// kernelspec says the same as [Toolchain.Spec], in Jupyter's words.
func (t Toolchain) kernelspec(c *course.Course) ([]byte, error) {
	system := []string{"${PATH}"} // Jupyter's own, which it puts here
	if gobin, err := exec.LookPath("go"); err == nil {
		system = append(system, filepath.Dir(gobin)) // a Jupyter started from a desktop may not know it
	}
	spec := t.Spec(c)
	env := map[string]string{"PATH": searchPath(t, c, system...)}
	for _, pair := range environment(c) {
		key, value, _ := strings.Cut(pair, "=")
		env[key] = value
	}
	return json.MarshalIndent(kernelspec{
		Argv: spec.Argv, DisplayName: spec.DisplayName, Language: spec.Language, InterruptMode: spec.InterruptMode, Env: env,
	}, "", " ")
}

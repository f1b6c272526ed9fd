package notebook_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"manyhands/internal/testparts"
)

// ask runs a Python program that turns a list of notebooks (JSON texts) into a list of answers.
func ask(t *testing.T, program string, notebooks []string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notebooks.json")
	data, err := json.Marshal(notebooks)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), testparts.Python(t), "-W", "ignore", "-c",
		"import json, sys, nbformat.v4\n"+program+"\nprint(json.dumps([answer(s) for s in json.load(open(sys.argv[1]))]))", path)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	var answers []string
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

func TestPythonWritesTheSameBytes(t *testing.T) {
	every, err := os.ReadFile("testdata/every.ipynb")
	if err != nil {
		t.Fatal(err)
	}
	var notebooks []string
	for _, source := range []string{
		`"a\r\nb\rc\u0085d\u2028e\u001cf\u000bg\u000ch"`, `["a", "b\n", ""]`, `[]`, `"\n"`, `"\n\n"`, `"\r"`, `"\u0000\u007f\u00ff\ud83d\ude00"`,
		`"</script>&<>\u2029"`,
	} {
		notebooks = append(notebooks, wrap(`{"id": "x", "cell_type": "raw", "metadata": {}, "source": `+source+`}`))
	}
	for _, number := range []string{"1e5", "1.0", "0.00001", "1e-4", "123456789.123456789", "1e15", "1e16", "12345678901234567890", "-0.0", "5e-324"} {
		notebooks = append(notebooks, strings.Replace(wrap(""), `"metadata": {}`, `"metadata": {"n": `+number+`}`, 1))
	}
	notebooks = append(notebooks, string(every), wrap(""), wrap(`{"id": "x", "cell_type": "code", "metadata": {}, "source": "a",
		"execution_count": null, "outputs": [
		{"output_type": "display_data", "metadata": {}, "data": {"text/plain": "a\nb", "image/png": ["a\n", "b"], "text/x": [],
		 "application/json": ["a\n", "b"], "application/x+json": {"b": 1, "a": []}, "application/javascript": "1;\n2;"}},
		{"output_type": "stream", "name": "stdout", "text": ["a", "b\n", "c"]},
		{"output_type": "error", "ename": "E", "evalue": "", "traceback": []}]}`))
	for i, want := range ask(t, "def answer(s): return nbformat.v4.writes(nbformat.v4.reads(s)) + '\\n'", notebooks) {
		if got := encode(t, decode(t, notebooks[i])); got != want {
			t.Errorf("for %s\nwrote  %s\nPython %s", notebooks[i], got, want)
		}
	}
}

func TestPythonValidatesTheSame(t *testing.T) {
	var notebooks []string
	metadata := func(values ...string) {
		for _, v := range values {
			notebooks = append(notebooks, strings.Replace(wrap(""), `"metadata": {}`, `"metadata": {`+v+`}`, 1))
		}
	}
	cell := func(kind string, fields ...string) {
		for _, f := range fields {
			c := `{"id": "x", "cell_type": "` + kind + `", "metadata": {}, "source": "", "execution_count": null, "outputs": []}`
			if kind != "code" {
				c = strings.Replace(c, `, "execution_count": null, "outputs": []`, "", 1)
			}
			name, _, _ := strings.Cut(f, ":")
			for old := range strings.SplitSeq(strings.Trim(c, "{}"), ", ") { // replaces the field of that name
				if strings.HasPrefix(old, name) {
					c = strings.Replace(c, old, f, 1)
				}
			}
			if !strings.Contains(c, f) {
				c = strings.TrimSuffix(c, "}") + ", " + f + "}"
			}
			notebooks = append(notebooks, wrap(c))
		}
	}
	output := func(outputs ...string) {
		for _, o := range outputs {
			cell("code", `"outputs": [`+o+`]`)
		}
	}
	metadata(`"a": 1`, `"title": 1`, `"title": "a"`, `"authors": "me"`, `"authors": []`, `"kernelspec": {}`, `"kernelspec": 1`,
		`"kernelspec": {"name": "gonb"}`, `"kernelspec": {"name": "gonb", "display_name": "Go"}`, `"language_info": {}`,
		`"language_info": {"name": "go", "codemirror_mode": {"a": 1}}`, `"language_info": {"name": "go", "codemirror_mode": 1}`,
		`"language_info": {"name": "go", "mimetype": 1}`, `"language_info": {"name": "go", "pygments_lexer": null}`)
	for _, kind := range []string{"code", "markdown", "raw", "other"} {
		cell(kind, `"metadata": {}`, `"metadata": {"tags": ["a", "b"]}`, `"metadata": {"tags": ["a", "a"]}`, `"metadata": {"tags": ["a,b"]}`,
			`"metadata": {"tags": [""]}`, `"metadata": {"tags": [1]}`, `"metadata": {"tags": "a"}`, `"metadata": {"tags": []}`,
			`"metadata": {"name": ""}`, `"metadata": {"name": "n"}`, `"metadata": {"format": 1}`, `"metadata": {"collapsed": 1}`,
			`"metadata": {"scrolled": "auto"}`, `"metadata": {"scrolled": "x"}`, `"metadata": {"jupyter": 1}`,
			`"metadata": {"jupyter": {"source_hidden": true}}`, `"metadata": {"execution": {"a": 1}}`, `"metadata": {"execution": {"a": "1"}}`,
			`"attachments": {}`, `"attachments": {"a": {"image/png": "x"}}`, `"attachments": {"a": {"image/png": 1}}`, `"foreign": 1`,
			`"id": "a b"`, `"id": "`+strings.Repeat("a", 65)+`"`, `"id": "`+strings.Repeat("a", 64)+`"`, `"id": "-_9Z"`, `"id": "é"`)
	}
	cell("code", `"execution_count": -1`, `"execution_count": 0`)
	cell("markdown", `"outputs": []`, `"execution_count": null`)
	output(`{"output_type": "stream", "name": "stdout", "text": "x"}`, `{"output_type": "stream", "name": "other", "text": []}`,
		`{"output_type": "stream", "name": "stdout", "text": "x", "more": 1}`, `{"output_type": "unheard", "name": "stdout"}`,
		`{"output_type": "display_data", "metadata": {}, "data": {}}`, `{"output_type": "display_data", "metadata": {}, "data": {"text/plain": 1}}`,
		`{"output_type": "display_data", "metadata": {}, "data": {"application/json": 1, "application/a+json": null}}`,
		`{"output_type": "display_data", "metadata": {}, "data": {}, "execution_count": 1}`,
		`{"output_type": "execute_result", "metadata": {}, "data": {}, "execution_count": 1}`,
		`{"output_type": "execute_result", "metadata": {}, "data": {}, "execution_count": -1}`,
		`{"output_type": "error", "ename": "", "evalue": "", "traceback": ["a"]}`)
	notebooks = append(notebooks, strings.Replace(wrap(""), `"cells"`, `"more": 1, "cells"`, 1))

	const program = `
def answer(s):
    try:
        nbformat.validate(json.loads(s))
        return ""
    except nbformat.ValidationError as e:
        return str(e).splitlines()[0] or "invalid"
`
	valid := 0
	for i, python := range ask(t, program, notebooks) {
		err := decode(t, notebooks[i]).Validate()
		if (err == nil) != (python == "") {
			t.Errorf("%s\nhere:   %v\nPython: %s", notebooks[i], err, python)
		}
		if err == nil {
			valid++
		}
	}
	if valid == 0 || valid == len(notebooks) {
		t.Errorf("%d of %d notebooks are valid: the test compares nothing", valid, len(notebooks))
	}
}

package ledger_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"reflect"
	"testing"

	"manyhands/helpers/ledger"
)

// FuzzAll reads files that nobody knows who wrote: whatever is in them, figures
// are good ones, damage is told by its lines, and a new record joins the rest.
func FuzzAll(f *testing.F) {
	f.Add([]byte(line("1", "a", "1,2") + line("1", "a", "3") + line("2", "b", "0.5")))
	f.Add([]byte(line("1", "a", "1") + `{"run":"1","name":"a","un`))
	f.Add([]byte("\n\n\x00{}\n[]\nnull\n" + line("1", "a", "1e999") + line("", "", "")))
	f.Add([]byte(`{"run":"1","time":"2026-11-21T20:37:23Z","name":"a","unit":"s","values":[1]}{"run":"1"}` + "\r\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		path := notebook(t)
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		before := figures(t, file)
		const name = "recorded by the test"
		record(t, name, 7)
		after := figures(t, file)
		last := after[len(after)-1]
		if last.Name != name || !reflect.DeepEqual(last.Values, []float64{7}) {
			t.Errorf("the new record is %+v", last)
		}
		if rest := after[:len(after)-1]; len(rest) != len(before) || len(before) > 0 && !reflect.DeepEqual(rest, before) {
			t.Errorf("a new record changed the others from %+v to %+v", before, rest)
		}
	})
}

// figures reads the ledger and checks what holds of every one.
func figures(t *testing.T, file []byte) []ledger.Figure {
	t.Helper()
	all, err := ledger.All()
	var damage *ledger.DamageError
	if err != nil && !errors.As(err, &damage) {
		t.Fatal(err)
	}
	if damage != nil {
		for i, n := range damage.Lines {
			if n < 1 || n > bytes.Count(file, []byte("\n"))+1 || i > 0 && n <= damage.Lines[i-1] {
				t.Fatalf("damaged lines %v of %q", damage.Lines, file)
			}
		}
	}
	for _, f := range all {
		if len(f.Values) == 0 {
			t.Errorf("%q has no values", f.Name)
		}
		for _, v := range f.Values {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("%q has the value %v", f.Name, v)
			}
		}
	}
	return all
}

package display_test

import (
	"testing"

	"manyhands/helpers/display"
)

// Outside a notebook a display is its plain text.
func ExampleShow() {
	if err := display.Show(map[string]any{"text/html": "<b>4</b>", "text/plain": "four"}); err != nil {
		panic(err)
	}
	if err := display.Markdown("**Done.**"); err != nil {
		panic(err)
	}
	if err := display.Show(map[string]any{"image/png": "iVBORw0KGgo="}); err != nil {
		panic(err)
	}
	// Output:
	// four
	// **Done.**
	// (output of type [image/png])
}

func TestShowNothing(t *testing.T) {
	if err := display.Show(nil); err == nil {
		t.Error("an empty bundle gave no error")
	}
}

func TestShowWithoutGoNB(t *testing.T) {
	t.Setenv("GONB_PIPE", t.TempDir()+"/gone")
	if err := display.HTML("x"); err == nil {
		t.Error("GoNB's pipe is gone, and there was no error")
	}
}

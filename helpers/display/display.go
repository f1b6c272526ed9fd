// Package display shows rich output under a notebook cell: HTML, Markdown, pictures, or one thing in several forms of
// which the page picks the best it can show.
//
//	display.Markdown("**Done.**")
//
// It exists because GoNB's own gonbui costs a cell 75 to 120 ms more to link and leaves text and displays in an
// arbitrary order; this package speaks gonbui's protocol with nothing but the standard library and keeps the order:
// what the cell printed before a display stands above it, what it prints after stands below. Outside a notebook a
// display is its plain text on standard output, so that the same code runs as a program, an Example or a test.
//
// # Order
//
// Text and displays reach GoNB through three pipes, read by goroutines that know nothing of each other. What a cell
// can do, and [Show] does:
//
//   - before: wait until the pipes of standard output and error are empty and GoNB has come to rest, which means that
//     it has passed on what it read (only Linux tells; elsewhere, wait 5 ms). Text that is still in a bufio.Writer, or
//     being printed by another goroutine, is beyond that. GoNB's own Sync is not enough: it waits for displays only.
//   - after: send the display and a message that asks for an answer, as gonbui.Sync does. GoNB handles a pipe's messages
//     in turn, so when the answer comes the display has been passed on.
//
// A display costs about 2 ms, most of it for the order. A cell uses either this package or gonbui, not both: GoNB can
// follow one sender.
package display

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

func init() {
	// What decoded JSON is made of, beyond the types that gob knows by itself. GoNB registers the same.
	gob.Register(map[string]any{})
	gob.Register([]any{})
}

// Show displays one thing, given in several forms: MIME type to contents. Contents are a string, or decoded JSON (a
// map[string]any, no nil in it) for a type that ends in json; "text/plain" is what a terminal and a page without better
// shows. It returns when the display has its place under the cell.
func Show(bundle map[string]any) error {
	if len(bundle) == 0 {
		return errors.New("display: nothing to show")
	}
	if os.Getenv(protocol.GONB_PIPE_ENV) == "" {
		_, err := io.WriteString(os.Stdout, plain(bundle))
		return err
	}
	k, err := connect()
	if err != nil {
		return fmt.Errorf("display: reaching GoNB: %w", err)
	}
	if err := k.show(bundle); err != nil {
		return fmt.Errorf("display: sending to GoNB: %w", err)
	}
	return nil
}

// HTML displays a piece of HTML; a terminal shows its source.
func HTML(source string) error { return Show(map[string]any{"text/html": source}) }

// Markdown displays Markdown, formulas between dollars included; a terminal shows its source.
func Markdown(source string) error { return Show(map[string]any{"text/markdown": source}) }

// plain is the form of a bundle that a terminal can show, as whole lines.
func plain(bundle map[string]any) string {
	for _, mime := range []string{"text/plain", "text/markdown", "text/html"} {
		if text, ok := bundle[mime].(string); ok {
			if text != "" && text[len(text)-1] != '\n' {
				text += "\n"
			}
			return text
		}
	}
	return fmt.Sprintf("(output of type %v)\n", slices.Sorted(maps.Keys(bundle)))
}

// patience is the longest that a display waits for the text before it.
const patience = 250 * time.Millisecond

// kernel is the connection to the GoNB that runs this cell. GoNB accepts one for the life of the cell's program.
type kernel struct {
	mu    sync.Mutex
	send  *gob.Encoder
	reply *gob.Decoder
	asked int // the number of the last message that wants an answer
}

var connect = sync.OnceValues(func() (*kernel, error) {
	// GoNB opens the other ends in its own time; each Open waits for it.
	to, err := os.OpenFile(os.Getenv(protocol.GONB_PIPE_ENV), os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	from, err := os.Open(os.Getenv(protocol.GONB_PIPE_BACK_ENV))
	if err != nil {
		to.Close()
		return nil, err
	}
	return &kernel{send: gob.NewEncoder(to), reply: gob.NewDecoder(from)}, nil
})

func (k *kernel) show(bundle map[string]any) error {
	data := make(map[protocol.MIMEType]any, len(bundle))
	for mime, contents := range bundle {
		data[protocol.MIMEType(mime)] = contents
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	settle()
	if err := k.send.Encode(&protocol.DisplayData{Data: data}); err != nil {
		return err
	}
	return k.sync()
}

// sync returns when GoNB has handled all that was sent so far; what gonbui.Sync does.
func (k *kernel) sync() error {
	k.asked++
	request := protocol.CommValue{Address: protocol.GonbuiSyncAddress, Value: k.asked}
	err := k.send.Encode(&protocol.DisplayData{Data: map[protocol.MIMEType]any{protocol.MIMECommValue: request}})
	if err != nil {
		return err
	}
	for {
		var answer protocol.CommValue
		if err := k.reply.Decode(&answer); err != nil {
			return err
		}
		if answer.Address == protocol.GonbuiSyncAckAddress && answer.Value == k.asked {
			return nil
		}
	}
}

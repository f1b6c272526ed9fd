//go:build unix

package process

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a frame or a note is for.
const (
	hello    byte = iota + 1 // from a worker: it serves
	call                     // to a worker: an argument
	answer                   // from a worker: the result
	failed                   // from a worker: the error's text
	refused                  // from a worker: why the argument cannot be decoded
	panicked                 // from a worker, its last: the panic's text
	need                     // from a worker: send the shared memory numbered so
	handed                   // to a worker: its descriptor, or none if it is closed
	cancel                   // a note: the context of the call has ended
	forget                   // a note: that shared memory is closed
)

// A frame is one message. Its number is that of the call or of the shared memory.
type frame struct {
	kind   byte
	fresh  bool // the body begins a new gob stream
	number uint64
	body   []byte // what the gob stream goes on with, valid until the next frame
}

// A header precedes the body: magic (4 bytes), kind, fresh, two unused, number
// (8), length of the body (8).
const (
	headerSize = 24
	magic      = 0x4d48_5057
)

// keepSize is how large a buffer may be that is kept for the next frame.
const keepSize = 1 << 20

var (
	errGarbage = errors.New("it wrote something on its pipe that is no message: only this package may use descriptor 3")
	errCodec   = errors.New("gob cannot carry it: use exported fields of plain types, and gob.Register for what interfaces hold")
)

// A conn is an end of the socket between program and worker. One side talks at a
// time, and on each side one goroutine has the conn.
//
// The goroutine blocks in the system call: to have it parked until the network
// poller finds an answer, and woken then, takes longer than a small call.
type conn struct {
	file *os.File
	r    *bufio.Reader

	header [headerSize]byte
	body   []byte
	in     bytes.Reader // over the body being decoded
	dec    *gob.Decoder

	out bytes.Buffer
	enc *gob.Encoder // nil before the first value, and after one that gob refused, here or there
}

func newConn(fd int) *conn {
	file := os.NewFile(uintptr(fd), "worker") // blocking, as the descriptor is
	return &conn{file: file, r: bufio.NewReader(file)}
}

// send sends a frame with the value that v points to, or without if v is nil. An
// error that is errCodec has sent nothing and leaves the conn in order.
func (c *conn) send(kind byte, number uint64, v any) error {
	c.out.Reset()
	c.out.Write(make([]byte, headerSize))
	fresh := false
	if v != nil {
		if c.enc == nil {
			c.enc, fresh = gob.NewEncoder(&c.out), true
		}
		if err := encode(c.enc, v); err != nil {
			c.enc = nil // it may believe types to be sent that are not
			return err
		}
	}
	message := c.out.Bytes()
	putHeader(message, frame{kind: kind, fresh: fresh, number: number}, len(message)-headerSize)
	_, err := c.file.Write(message)
	if c.out.Cap() > keepSize {
		c.out = bytes.Buffer{}
	}
	return err
}

// encode makes an error of the panic that gob has for a nil pointer.
func encode(enc *gob.Encoder, v any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errCodec, r)
		}
	}()
	if e := reflect.ValueOf(v).Elem(); e.Kind() == reflect.Pointer {
		v = e.Interface() // gob looks for GobEncode one pointer deep
	}
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("%w: %w", errCodec, err)
	}
	return nil
}

func putHeader(b []byte, f frame, size int) {
	binary.LittleEndian.PutUint32(b, magic)
	b[4] = f.kind
	if f.fresh {
		b[5] = 1
	}
	binary.LittleEndian.PutUint64(b[8:], f.number)
	binary.LittleEndian.PutUint64(b[16:], uint64(size))
}

func parseHeader(b []byte) (f frame, size int, err error) {
	f = frame{kind: b[4], fresh: b[5] == 1, number: binary.LittleEndian.Uint64(b[8:])}
	length := binary.LittleEndian.Uint64(b[16:])
	if binary.LittleEndian.Uint32(b) != magic || f.kind < hello || f.kind > handed || length > 1<<40 {
		return frame{}, 0, errGarbage
	}
	return f, int(length), nil
}

// receive waits for the next frame.
func (c *conn) receive() (frame, error) {
	if _, err := io.ReadFull(c.r, c.header[:]); err != nil {
		return frame{}, err
	}
	f, size, err := parseHeader(c.header[:])
	if err != nil {
		return frame{}, err
	}
	if cap(c.body) > keepSize {
		c.body = nil
	}
	f.body = slices.Grow(c.body[:0], size)[:size]
	c.body = f.body
	_, err = io.ReadFull(c.r, f.body)
	return f, err
}

// decode sets what v points to from a frame's body.
func (c *conn) decode(f frame, v any) error {
	c.in.Reset(f.body)
	if f.fresh || c.dec == nil {
		c.dec = gob.NewDecoder(&c.in)
	}
	if err := c.dec.Decode(v); err != nil {
		return fmt.Errorf("decoding %T: %w", v, err)
	}
	return nil
}

// hand sends a descriptor, or none if it is negative.
func (c *conn) hand(number uint64, fd int) error {
	message := make([]byte, headerSize)
	putHeader(message, frame{kind: handed, number: number}, 0)
	var rights []byte
	if fd >= 0 {
		rights = unix.UnixRights(fd)
	}
	return c.control(func(socket int) error { return unix.Sendmsg(socket, message, rights, nil, 0) })
}

// takeHanded waits for a descriptor. It is negative if there is none.
func (c *conn) takeHanded() (fd int, err error) {
	message, rights := make([]byte, headerSize), make([]byte, 64)
	var n, size int
	err = c.control(func(socket int) (err error) {
		n, size, _, _, err = unix.Recvmsg(socket, message, rights, receiveFlags|unix.MSG_WAITALL)
		return err
	})
	if err != nil {
		return -1, err
	}
	if n < headerSize {
		return -1, io.ErrUnexpectedEOF
	}
	if f, _, err := parseHeader(message); err != nil || f.kind != handed {
		return -1, errGarbage
	}
	return descriptor(rights[:size])
}

// descriptor returns the descriptor that came along with a message.
func descriptor(rights []byte) (int, error) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil || len(messages) == 0 {
		return -1, err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) == 0 {
		return -1, err
	}
	unix.CloseOnExec(fds[0])
	return fds[0], nil
}

// control makes a system call on the socket, once more if a signal comes in
// between.
func (c *conn) control(f func(socket int) error) error {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	err = raw.Control(func(fd uintptr) {
		for failure = unix.EINTR; failure == unix.EINTR; {
			failure = f(int(fd))
		}
	})
	return errors.Join(err, failure)
}

// A note is what the program tells a worker in between, over a pipe of its own.
// It is written at once, as it is much shorter than PIPE_BUF.
type note struct {
	Kind   byte
	Number uint64
}

func (n note) writeTo(w io.Writer) error { return binary.Write(w, binary.LittleEndian, n) }

func readNote(r io.Reader) (n note, err error) {
	err = binary.Read(r, binary.LittleEndian, &n)
	return n, err
}

// socketPair makes the two ends of a connection, which no child inherits unless
// told to.
func socketPair() (ours, theirs int, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return 0, 0, err
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	return fds[0], fds[1], nil
}

// value is what to send for v: nothing if its type holds nothing, which gob
// would refuse.
func value[T any](v *T) any {
	if unsafe.Sizeof(*v) == 0 {
		return nil
	}
	return v
}

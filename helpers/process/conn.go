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
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a frame is for.
const (
	hello    byte = iota + 1 // from a worker: it serves
	call                     // to a worker: an argument
	cancel                   // to a worker: the context of the call has ended
	answer                   // from a worker: the result
	failed                   // from a worker: the error's text
	panicked                 // from a worker, its last: the panic's text
	need                     // from a worker: send the shared memory numbered so
	handed                   // to a worker: its descriptor, or none if it is closed
	forget                   // to a worker: that shared memory is closed
)

// A frame is one message. Its number is that of the call or of the shared memory.
type frame struct {
	kind   byte
	fresh  bool // the body begins a new gob stream
	number uint64
	body   []byte // what the gob stream goes on with
}

// A header precedes the body: magic (4 bytes), kind, fresh, two unused, number
// (8), length of the body (8).
const (
	headerSize = 24
	magic      = 0x4d48_5057
)

var (
	errGarbage = errors.New("it wrote something on its pipe that is no message: only this package may use descriptor 3")
	errCodec   = errors.New("gob cannot carry it: use exported fields of plain types, and gob.Register for what interfaces hold")
)

// A conn is an end of the socket between program and worker. One goroutine may
// receive and decode while others send.
type conn struct {
	file *os.File
	r    *bufio.Reader
	in   bytes.Buffer // the body being decoded
	dec  *gob.Decoder

	sending sync.Mutex
	sent    int // frames
	out     bytes.Buffer
	enc     *gob.Encoder // nil before the first value, and after one that gob refused

	descriptors []int // received, with the frames received so far
}

func newConn(fd int) (*conn, error) {
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	c := &conn{file: os.NewFile(uintptr(fd), "worker")}
	c.r = bufio.NewReader(readerFunc(c.read))
	return c, nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// read reads from the socket and keeps the descriptors that come along.
func (c *conn) read(p []byte) (n int, err error) {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var control [64]byte
	var controls int
	var failure error
	err = raw.Read(func(fd uintptr) bool {
		n, controls, _, _, failure = unix.Recvmsg(int(fd), p, control[:], receiveFlags)
		return failure != unix.EAGAIN
	})
	switch err = errors.Join(err, failure); {
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, c.keep(control[:controls])
}

func (c *conn) keep(control []byte) error {
	if len(control) == 0 {
		return nil
	}
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return err
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return err
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
		}
		c.descriptors = append(c.descriptors, fds...)
	}
	return nil
}

// send sends a frame with the value that v points to, or without if v is nil. An
// error that is errCodec has sent nothing and leaves the conn in order.
func (c *conn) send(kind byte, number uint64, v any) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.out.Reset()
	c.out.Write(make([]byte, headerSize))
	var fresh byte
	if v != nil {
		if c.enc == nil {
			c.enc, fresh = gob.NewEncoder(&c.out), 1
		}
		if err := encode(c.enc, v); err != nil {
			c.enc = nil // it may believe types to be sent that are not
			return err
		}
	}
	message := c.out.Bytes()
	binary.LittleEndian.PutUint32(message, magic)
	message[4], message[5] = kind, fresh
	binary.LittleEndian.PutUint64(message[8:], number)
	binary.LittleEndian.PutUint64(message[16:], uint64(len(message)-headerSize))
	c.sent++
	_, err := c.file.Write(message)
	if c.out.Cap() > 1<<20 {
		c.out = bytes.Buffer{}
	}
	return err
}

// frames is how many were sent.
func (c *conn) frames() int {
	c.sending.Lock()
	defer c.sending.Unlock()
	return c.sent
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

// hand sends a frame along with a descriptor.
func (c *conn) hand(number uint64, fd int) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.sent++
	message := make([]byte, headerSize)
	binary.LittleEndian.PutUint32(message, magic)
	message[4] = handed
	binary.LittleEndian.PutUint64(message[8:], number)
	raw, err := c.file.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	err = raw.Write(func(socket uintptr) bool {
		failure = unix.Sendmsg(int(socket), message, unix.UnixRights(fd), nil, 0)
		return failure != unix.EAGAIN
	})
	return errors.Join(err, failure)
}

// receive waits for the next frame.
func (c *conn) receive() (frame, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(c.r, header[:]); err != nil {
		return frame{}, err
	}
	f := frame{kind: header[4], fresh: header[5] == 1, number: binary.LittleEndian.Uint64(header[8:])}
	size := binary.LittleEndian.Uint64(header[16:])
	if binary.LittleEndian.Uint32(header[:]) != magic || f.kind < hello || f.kind > forget || size > 1<<40 {
		return frame{}, errGarbage
	}
	f.body = make([]byte, size)
	_, err := io.ReadFull(c.r, f.body)
	return f, err
}

// decode sets what v points to from a frame's body.
func (c *conn) decode(f frame, v any) error {
	c.in = *bytes.NewBuffer(f.body)
	if f.fresh || c.dec == nil {
		c.dec = gob.NewDecoder(&c.in)
	}
	err := c.dec.Decode(v)
	c.in = bytes.Buffer{}
	if err != nil {
		return fmt.Errorf("decoding %T: %w", v, err)
	}
	return nil
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

//go:build unix

package process

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Number is what shared memory can hold: no pointers, as they mean nothing in
// another process.
type Number interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~int | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uint |
		~float32 | ~float64 | ~complex64 | ~complex128
}

// A Shared is an array in memory that program and workers have in common. Send it
// as an argument, or in one, by its pointer: what travels is a descriptor, once
// to each worker. Nothing guards the elements: let tasks write to different ones.
//
// The pages are the system's, not the garbage collector's: Close them.
type Shared[T Number] struct {
	number uint64
	length int
	bytes  []byte // the mapping
}

// Share copies values to shared memory.
func Share[T Number](values []T) (*Shared[T], error) {
	s, err := NewShared[T](len(values))
	if err != nil {
		return nil, err
	}
	copy(s.Slice(), values)
	return s, nil
}

// NewShared makes an array of n zeros in shared memory: an anonymous file in
// memory on Linux (memfd_create), a temporary file elsewhere.
func NewShared[T Number](n int) (*Shared[T], error) {
	var zero T
	size := uint64(n) * uint64(unsafe.Sizeof(zero))
	switch {
	case role != "":
		return nil, errors.New("process: a worker cannot make shared memory: make it in the program and pass it as an argument")
	case n <= 0:
		return nil, fmt.Errorf("process: an array of %d elements cannot be shared: it needs at least one", n)
	case size > 1<<62 || size/uint64(unsafe.Sizeof(zero)) != uint64(n):
		return nil, fmt.Errorf("process: an array of %d elements of %d bytes is larger than any memory", n, unsafe.Sizeof(zero))
	}
	if free, source := freeMemory(); size > free {
		return nil, fmt.Errorf("process: an array of %d elements takes %d MB, more than the %d MB of %s: use fewer elements",
			n, size>>20, free>>20, source)
	}
	file, err := anonymousFile()
	if err != nil {
		return nil, fmt.Errorf("process: no shared memory: %w: pass the values as an argument instead", err)
	}
	s := &Shared[T]{length: n}
	if err := file.Truncate(int64(size)); err != nil {
		file.Close()
		return nil, fmt.Errorf("process: no shared memory of %d bytes: %w: use fewer elements", size, err)
	}
	if s.bytes, err = mapped(int(file.Fd()), int(size)); err != nil {
		file.Close()
		return nil, fmt.Errorf("process: no shared memory of %d bytes: %w: use fewer elements", size, err)
	}
	s.number = shelf.put(file, s.bytes)
	return s, nil
}

func mapped(fd, size int) ([]byte, error) {
	b, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return b, os.NewSyscallError("mmap", err)
}

// Slice is the array itself, the same memory in all processes. It must not be
// used after Close; in a worker, not after its task.
func (s *Shared[T]) Slice() []T {
	if s.bytes == nil {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&s.bytes[0])), s.length)
}

// Close gives the memory back, in the workers as soon as they have no task. Call
// it in the program when no task needs the array any more, once for the array or
// for every pointer to it that came with a result.
func (s *Shared[T]) Close() error {
	if s.bytes == nil || role != "" {
		return nil
	}
	b := s.bytes
	s.bytes = nil
	if !shelf.remove(s.number) {
		return nil // it is closed, by another pointer
	}
	return unix.Munmap(b)
}

var errGone = errors.New("the shared memory is closed: close it after the last task that needs it")

// GobEncode sends which array it is, not what is in it.
func (s *Shared[T]) GobEncode() ([]byte, error) {
	if s.bytes == nil {
		return nil, errGone
	}
	b := binary.AppendUvarint(nil, s.number)
	b = binary.AppendUvarint(b, uint64(s.length))
	return binary.AppendUvarint(b, uint64(len(s.bytes))), nil
}

// GobDecode gets hold of the array: from the program in a worker, from its own
// in the program.
func (s *Shared[T]) GobDecode(b []byte) error {
	var fields [3]uint64
	for i := range fields {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return errors.New("no shared memory")
		}
		fields[i], b = v, b[n:]
	}
	var zero T
	size := fields[2]
	if fields[1]*uint64(unsafe.Sizeof(zero)) != size {
		return fmt.Errorf("an array of %d bytes has not %d elements of %d", size, fields[1], unsafe.Sizeof(zero))
	}
	memory, err := find(fields[0], int(size))
	if err != nil {
		return err
	}
	if uint64(len(memory)) != size {
		return fmt.Errorf("shared memory of %d bytes instead of %d", len(memory), size)
	}
	s.number, s.length, s.bytes = fields[0], int(fields[1]), memory
	return nil
}

func find(number uint64, size int) ([]byte, error) {
	if role != "" {
		return desk.find(number, size)
	}
	return shelf.find(number)
}

// shelf has the program's shared memory.
var shelf = &shelves{items: make(map[uint64]*item)}

type shelves struct {
	mu    sync.Mutex
	last  uint64
	items map[uint64]*item
}

type item struct {
	file    *os.File
	bytes   []byte
	holders map[*child]bool
}

func (s *shelves) put(file *os.File, b []byte) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.items[s.last] = &item{file, b, make(map[*child]bool)}
	return s.last
}

func (s *shelves) find(number uint64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if it, ok := s.items[number]; ok {
		return it.bytes, nil
	}
	return nil, errGone
}

// hand gives a worker a descriptor, or the news that there is none.
func (s *shelves) hand(number uint64, c *child) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, ok := s.items[number]
	if !ok {
		return c.conn.hand(number, -1)
	}
	it.holders[c] = true
	return c.conn.hand(number, int(it.file.Fd()))
}

// remove gives an array back, and reports false if that was done before.
func (s *shelves) remove(number uint64) bool {
	s.mu.Lock()
	it, ok := s.items[number]
	delete(s.items, number)
	s.mu.Unlock()
	if !ok {
		return false
	}
	it.file.Close()
	for c := range it.holders {
		note{forget, number}.writeTo(c.notes) // a worker that is gone has forgotten
	}
	return true
}

// leave notes that a worker is gone.
func (s *shelves) leave(c *child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.items {
		delete(it.holders, c)
	}
}

package filestore_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/filestore"
	"github.com/otrchat/otrchat/internal/leakcheck"
)

// TestMain runs a part of a test in a process of its own when the environment says which.
func TestMain(m *testing.M) {
	if part := os.Getenv("FILESTORE_TEST_PART"); part != "" {
		s, err := filestore.New(&filestore.Options{Path: os.Getenv("FILESTORE_TEST_PATH")})
		if err == nil {
			err = parts[part](s)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	leakcheck.Main(m)
}

var parts = map[string]func(*filestore.Store) error{
	"hold":  holdLock,
	"write": writeForEver,
	"count": count,
}

// child is this test binary, running one of parts.
type child struct {
	t   *testing.T
	cmd *exec.Cmd
	out *bufio.Reader
}

func start(t *testing.T, part, path string, env ...string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "FILESTORE_TEST_PART="+part, "FILESTORE_TEST_PATH="+path), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	_, err = cmd.StdinPipe() // open as long as this process lives
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	c := &child{t, cmd, bufio.NewReader(out)}
	t.Cleanup(c.kill)
	return c
}

func (c *child) expect(line string) {
	c.t.Helper()
	got, err := c.out.ReadString('\n')
	require.NoError(c.t, err)
	require.Equal(c.t, line, strings.TrimSpace(got))
}

// rest is what the child says until it ends.
func (c *child) rest() string {
	all, _ := io.ReadAll(c.out)
	return string(all)
}

// kill is kill -9. It returns when the process is gone.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

func holdLock(s *filestore.Store) error {
	unlock, err := filestore.Hold(s)
	if err != nil {
		return err
	}
	defer unlock()
	fmt.Println("locked")
	_, err = io.Copy(io.Discard, os.Stdin) // until it is killed
	return err
}

const address = "counter@example.com"

// increment adds one to a number in the contact's note, and drags enough text along for a write to
// take a while.
func increment(c *contacts.Contact) error {
	number, _, _ := strings.Cut(c.Note, " ")
	n, _ := strconv.Atoi(number)
	c.Note = strconv.Itoa(n+1) + " " + strings.Repeat("x", 10_000)
	return nil
}

func number(t *testing.T, path string) int {
	t.Helper()
	c, err := open(t, path).Load(t.Context(), address)
	require.NoError(t, err)
	text, _, _ := strings.Cut(c.Note, " ")
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	require.Len(t, c.Note, len(text)+1+10_000)
	return n
}

// writeForEver increments and prints each number once it is stored. It kills itself after as many steps as the environment says.
func writeForEver(s *filestore.Store) error {
	if left, err := strconv.Atoi(os.Getenv("FILESTORE_TEST_DIE")); err == nil {
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			return err
		}
		filestore.Before(s, func(string) error {
			if left--; left < 0 {
				_ = self.Kill()
				select {} // not one step further
			}
			return nil
		})
	}
	for {
		c, err := contacts.Update(context.Background(), s, address, increment)
		if err != nil {
			return err
		}
		stored, _, _ := strings.Cut(c.Note, " ")
		fmt.Println(stored)
	}
}

const increments = 40

func count(s *filestore.Store) error {
	for range increments {
		if _, err := contacts.Update(context.Background(), s, address, increment); err != nil {
			return err
		}
	}
	return nil
}

// Writers that are killed at any moment, alone or in the middle of others, leave the contacts before or after their last change, with everything that
// anybody was told is stored, and no change twice. Half of them die before one of the steps of a change, the others wherever they happen to be: at
// work, or waiting for the lock.
func TestKilledWriters(t *testing.T) {
	t.Parallel()
	const kills, lanes = 200, 4
	path := newPath(t)
	_, err := contacts.Update(t.Context(), open(t, path), address, increment)
	require.NoError(t, err)
	told := &ledger{told: map[int]bool{1: true}}
	var wg sync.WaitGroup
	for lane := range lanes {
		wg.Go(func() {
			for i := lane; i < kills; i += lanes {
				var writer *child
				var lines string
				if i/lanes%2 == 0 {
					writer = start(t, "write", path, fmt.Sprintf("FILESTORE_TEST_DIE=%d", i/lanes/2%(2*len(change))))
				} else {
					writer = start(t, "write", path)
					lines, _ = writer.out.ReadString('\n')
					_ = writer.cmd.Process.Kill()
				}
				lines += writer.rest()
				writer.kill()
				last := told.add(t, lines)
				assert.GreaterOrEqual(t, number(t, path), last, "a change was lost that was told to be stored")
			}
		})
	}
	wg.Wait()
	stored := number(t, path)
	assert.GreaterOrEqual(t, stored, len(told.told))
	assert.LessOrEqual(t, stored, len(told.told)+kills, "a writer that dies has one change that it told nobody of")
}

// ledger has the numbers that writers were told are stored.
type ledger struct {
	mu   sync.Mutex
	told map[int]bool
	last int
}

// add returns the highest number so far.
func (l *ledger) add(t *testing.T, lines string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range strings.Fields(lines) {
		n, err := strconv.Atoi(line)
		assert.NoError(t, err)
		assert.False(t, l.told[n], "%d was stored twice: a change was lost", n)
		l.told[n] = true
		l.last = max(l.last, n)
	}
	return l.last
}

// Processes that write at the same time lose none of each other's changes, and each sees the
// others'.
func TestManyProcesses(t *testing.T) {
	t.Parallel()
	path := newPath(t)
	s := open(t, path)
	var children []*child
	for range 3 {
		children = append(children, start(t, "count", path))
	}
	for range increments {
		_, err := contacts.Update(t.Context(), s, address, increment)
		require.NoError(t, err)
	}
	for _, c := range children {
		assert.NoError(t, c.cmd.Wait())
	}
	assert.Equal(t, 4*increments, number(t, path))
}

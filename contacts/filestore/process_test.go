package filestore_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/filestore"
	"github.com/otrchat/otrchat/internal/leakcheck"
)

// TestMain runs a part of a test in a process of its own when the environment says which.
func TestMain(m *testing.M) {
	if part := os.Getenv("FILESTORE_TEST_PART"); part != "" {
		if err := parts[part](os.Getenv("FILESTORE_TEST_PATH")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	leakcheck.Main(m)
}

var parts = map[string]func(path string) error{
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

func start(t *testing.T, part, path string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FILESTORE_TEST_PART="+part, "FILESTORE_TEST_PATH="+path)
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

// kill is kill -9. It returns when the process is gone.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

func holdLock(path string) error {
	s, err := filestore.New(&filestore.Options{Path: path})
	if err != nil {
		return err
	}
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

// writeForEver increments and prints each number once it is stored.
func writeForEver(path string) error {
	s, err := filestore.New(&filestore.Options{Path: path})
	if err != nil {
		return err
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

func count(path string) error {
	s, err := filestore.New(&filestore.Options{Path: path})
	if err != nil {
		return err
	}
	for range increments {
		if _, err := contacts.Update(context.Background(), s, address, increment); err != nil {
			return err
		}
	}
	return nil
}

// A writer that is killed at any moment leaves the contacts before or after its last change, with
// everything that it was told is stored.
func TestKilledWriter(t *testing.T) {
	path := newPath(t)
	told := 0
	for range 30 {
		writer := start(t, "write", path)
		first, err := writer.out.ReadString('\n')
		require.NoError(t, err, "the writer could not go on from what the last one left")
		timer := time.AfterFunc(rand.N(25*time.Millisecond), func() { _ = writer.cmd.Process.Kill() })
		rest, _ := io.ReadAll(writer.out)
		timer.Stop()
		writer.kill()

		lines := strings.Fields(first + string(rest))
		last, err := strconv.Atoi(lines[len(lines)-1])
		require.NoError(t, err)
		require.Greater(t, last, told)
		told = last
		stored := number(t, path)
		require.GreaterOrEqual(t, stored, told, "a change was lost that was told to be stored")
		require.LessOrEqual(t, stored, told+1)
		told = stored
	}
}

// Processes that write at the same time lose none of each other's changes, and each sees the
// others'.
func TestManyProcesses(t *testing.T) {
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

package quiet

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

var cases = []struct{ name, in, out string }{
	{"nothing", "", ""},
	{"plain line", "hello\n", "hello\n"},
	{"no line end", "hello", "hello"},
	{"noise", "Unsupported wipe kind: int\n", ""},
	{"noise between", "a\nUnsupported wipe kind: int\nUnsupported wipe kind: ptr\nb\n", "a\nb\n"},
	{"lock warning", "Warning: couldn't lock memory pages containing sensitive material: cannot allocate memory\nx", "x"},
	{"lock warning too long", lock + strings.Repeat("x", 200) + "\n", lock + strings.Repeat("x", 200) + "\n"},
	{"noise with more", "Unsupported wipe kind: int!\n", "Unsupported wipe kind: int!\n"},
	{"noise with two words", "Unsupported wipe kind: int int\n", "Unsupported wipe kind: int int\n"},
	{"noise without kind", "Unsupported wipe kind: \n", "Unsupported wipe kind: \n"},
	{"noise in a line", "x Unsupported wipe kind: int\n", "x Unsupported wipe kind: int\n"},
	{"noise after a prompt", "> Unsupported wipe kind: int\n", "> Unsupported wipe kind: int\n"},
	{"begins like noise", "Unsupported\n", "Unsupported\n"},
	{"noise without line end", "Unsupported wipe kind: int", "Unsupported wipe kind: int"},
	{"empty lines", "\n\nUnsupported wipe kind: int\n\n", "\n\n\n"},
	{"carriage return", "Unsupported wipe kind: int\r\n", "Unsupported wipe kind: int\r\n"},
}

func TestFilter(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for size := 1; size <= len(c.in)+1; size++ {
				var out strings.Builder
				f := filter{to: &out}
				for rest := c.in; rest != ""; rest = rest[min(size, len(rest)):] {
					n, err := f.Write([]byte(rest[:min(size, len(rest))]))
					require.NoError(t, err)
					require.Equal(t, min(size, len(rest)), n)
				}
				f.flush()
				require.Equal(t, c.out, out.String(), "in pieces of %d bytes", size)
			}
		})
	}
}

func TestFilterHoldsBackNoPrompt(t *testing.T) {
	var out strings.Builder
	f := filter{to: &out}
	for _, c := range []struct{ write, shown string }{
		{"Name: ", "Name: "},
		{"Bob\nUn", "Name: Bob\n"},
		{"til then> ", "Name: Bob\nUntil then> "},
		{"Unsupported wipe kind: int\n", "Name: Bob\nUntil then> Unsupported wipe kind: int\n"},
		{"Unsupported wipe kind: int\n", "Name: Bob\nUntil then> Unsupported wipe kind: int\n"},
		{lock + strings.Repeat("x", maxNoise), "Name: Bob\nUntil then> Unsupported wipe kind: int\n" + lock + strings.Repeat("x", maxNoise)},
	} {
		f.Write([]byte(c.write))
		require.Equal(t, c.shown, out.String())
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestFilterOutlivesItsWriter(t *testing.T) {
	f := filter{to: broken{}}
	n, err := f.Write([]byte("hello\n"))
	assert.NoError(t, err)
	assert.Equal(t, 6, n)
}

// captured runs f with os.Stdout a pipe, and returns what came out of it.
func captured(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	before := os.Stdout
	os.Stdout = w
	defer func() { os.Stdout = before }()
	all := make(chan string)
	go func() {
		b, _ := io.ReadAll(r)
		all <- string(b)
	}()
	f()
	w.Close()
	return <-all
}

func TestStdout(t *testing.T) {
	const long = 1 << 20
	got := captured(t, func() {
		below := os.Stdout
		restore := Stdout()
		fmt.Print("before\n")
		for range 1000 {
			fmt.Printf("Unsupported wipe kind: %v\n", "int")
		}
		fmt.Print(strings.Repeat("x", long), "\nno end")
		restore()
		restore()
		assert.Same(t, below, os.Stdout)
		fmt.Print(", and after\n")
	})
	assert.Equal(t, "before\n"+strings.Repeat("x", long)+"\nno end, and after\n", got)
}

func TestStdoutNested(t *testing.T) {
	got := captured(t, func() {
		outer := Stdout()
		inner := Stdout()
		fmt.Print("Unsupported wipe kind: int\nhello\n")
		inner()
		fmt.Print("Unsupported wipe kind: int\nworld\n")
		outer()
	})
	assert.Equal(t, "hello\nworld\n", got)
}

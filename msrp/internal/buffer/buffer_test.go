package buffer

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func Example() {
	b := append(New(100), "MSRP d93kswow 200 OK\r\n"...)
	fmt.Println(len(b), cap(b) >= 100)
	Recycle(b)
	// Output: 22 true
}

func TestNewHasRoom(t *testing.T) {
	for _, n := range []int{0, 1, Tiny, Tiny + 1, Small, Small + 1, Middle, Middle + 1, Frame, Frame + 1, Large, Large + 1, Huge, Huge + 1, 1 << 20} {
		b := New(n)
		require.Empty(t, b)
		require.GreaterOrEqual(t, cap(b), n)
		require.LessOrEqual(t, cap(b), max(4*n, Tiny), "a buffer for %d bytes", n)
		Recycle(append(b, 'x'))
		require.Empty(t, New(n), "after Recycle")
	}
}

func TestRecycleTakesWhatHasGrown(t *testing.T) {
	Recycle(nil)
	Recycle(make([]byte, 5, 777))
	require.Equal(t, Tiny, cap(New(1)))
}

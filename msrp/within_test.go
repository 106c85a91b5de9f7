package msrp

import (
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// Within is true from the first byte of a frame to its last.
func TestDecoderWithin(t *testing.T) {
	const wire = "MSRP aaaa1 SEND\r\nTo-Path: msrp://a:1/a;tcp\r\nFrom-Path: msrp://b:1/b;tcp\r\nContent-Type: text/plain\r\n\r\nhello\r\n-------aaaa1$\r\n"
	d := NewDecoder(iotest.OneByteReader(strings.NewReader(wire+wire[:1])), nil)
	require.False(t, d.Within())
	_, err := d.Next()
	require.NoError(t, err)
	require.True(t, d.Within())
	readBody(t, d)
	require.False(t, d.Within())
	_, err = d.Next()
	require.Error(t, err)
	require.True(t, d.Within())
}

package msrp

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// loop gives the same bytes for ever.
type loop struct {
	data []byte
	at   int
}

func (l *loop) Read(p []byte) (n int, err error) {
	for n < len(p) {
		k := copy(p[n:], l.data[l.at:])
		n += k
		l.at = (l.at + k) % len(l.data)
	}
	return n, nil
}

// The head stays readable while a long body passes through the buffer.
func TestDecodeHeadOutlivesBody(t *testing.T) {
	body := strings.Repeat("x", 1<<20)
	c := good("", "SEND", "Message-ID: 456so39s\r\nContent-Type: text/plain\r\n", body, Complete)
	for _, before := range []int{0, 1, 100, 200, 300} { // so that the head stands in different places of the buffer
		small := good("", "SEND", "Message-ID: small\r\nContent-Type: text/plain\r\n", "y", Complete)
		d := NewDecoder(strings.NewReader(strings.Repeat(small.wire, before)+c.wire), nil)
		for range before {
			_, _, err := readFrame(d)
			require.NoError(t, err)
		}
		f, got, err := readFrame(d)
		require.NoError(t, err)
		require.Equal(t, c.want, f)
		require.Len(t, got, len(body))
		require.LessOrEqual(t, cap(d.buf), readBytes)
	}
}

// The same for heads of all sizes, which leave more or less room around them, in streams that come in pieces of all sizes.
func TestDecodeHeadsAnywhere(t *testing.T) {
	var wire strings.Builder
	var want []wireCase
	for _, size := range []int{1, 1500, 1750, 1800, 1990, 5000, 15_000, 1, 2000, 16_000, 3, 12_345} {
		for _, body := range []int{0, 1, 100, 2000, 70_000} {
			c := good("", "SEND", "X-Y: "+strings.Repeat("y", size)+"\r\nContent-Type: text/plain\r\n", strings.Repeat("z", body), More)
			want = append(want, c)
			wire.WriteString(c.wire)
		}
	}
	for _, piece := range []int{7, 99, 1000, 2048, 5000, 1 << 20} {
		d := NewDecoder(&splitReader{strings.NewReader(wire.String()), func() int { return piece }}, nil)
		for _, c := range want {
			f, body, err := readFrame(d)
			require.NoError(t, err)
			require.Equal(t, c.want, f)
			require.Equal(t, c.body, string(body))
		}
	}
}

// With a HeadBytes larger than any buffer of its own, a head that ends with the buffer still leaves room for the body.
func TestDecodeLargeHeadsAnywhere(t *testing.T) {
	limits := &Limits{HeadBytes: 1 << 20}
	a := good("", "SEND", "X-Y: "+strings.Repeat("y", 500_000)+"\r\nMessage-ID: 456so39s\r\n", "", Complete)
	for _, head := range []int{60_000, readBytes, 2 * readBytes, 4 * readBytes, 300_000, limits.HeadBytes} {
		for _, slack := range []int{0, 1, 5, 15, 255, 256, 257} {
			c := good("", "SEND", "Message-ID: 456so39s\r\nContent-Type: text/plain\r\n", strings.Repeat("z", 200_000), Complete)
			fill := "X-Y: " + strings.Repeat("y", head-slack-strings.Index(c.wire, "zzz")-len("X-Y: \r\n")) + "\r\n"
			c = good("", "SEND", fill+"Message-ID: 456so39s\r\nContent-Type: text/plain\r\n", c.body, Complete)
			d := NewDecoder(strings.NewReader(strings.Repeat(a.wire+c.wire, 2)), limits)
			for i := range 4 {
				want := []wireCase{a, c}[i%2]
				f, body, err := readFrame(d)
				require.NoError(t, err)
				require.Equal(t, len(want.want.Header[0].Value), len(f.Header[0].Value))
				require.Equal(t, want.body, string(body))
			}
		}
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	for _, size := range []int{0, 100, 2000, 10_000, 200_000} {
		c := good("", "SEND", "Message-ID: 456so39s\r\nX-Y: z\r\nByte-Range: 1-*/100\r\nContent-Type: text/plain\r\n", strings.Repeat("x", size), Complete)
		for how, r := range map[string]io.Reader{
			"stream":               &loop{data: []byte(c.wire)},
			"a pause between each": &splitReader{&loop{data: []byte(c.wire)}, perFrame(len(c.wire))},
		} {
			d := NewDecoder(r, nil)
			next := func() {
				_, err := d.Next()
				for err == nil {
					_, err = d.Body()
				}
				require.Equal(t, io.EOF, err)
			}
			for range 100 {
				next()
			}
			require.Zero(t, testing.AllocsPerRun(200, next), "body of %d bytes, %s", size, how)
		}
	}
}

// perFrame lets no Read go beyond the end of a frame, if frames are this long and each Read is as large as it may be.
func perFrame(frame int) func() int {
	left := frame
	return func() int {
		n := min(left, 1500)
		if left -= n; left == 0 {
			left = frame
		}
		return n
	}
}

var errPause = errors.New("nothing more for now")

// paused gives what it has and then, instead of waiting, an error: a Decoder that got it holds what it holds while it waits.
type paused struct{ data string }

func (p *paused) Read(b []byte) (int, error) {
	if p.data == "" {
		return 0, errPause
	}
	n := copy(b, p.data)
	p.data = p.data[n:]
	return n, nil
}

// An idle session may cost 16 KiB in all; 4 KiB of it are the Decoder's share, whatever has passed through it.
func TestIdleDecoderIsSmall(t *testing.T) {
	const decoders, most = 300, 4 << 10
	line := good("", "SEND", "Message-ID: 456so39s\r\nContent-Type: text/plain\r\n", "hello", Complete).wire
	file := good("", "SEND", "Message-ID: 456so39s\r\nContent-Type: text/plain\r\n", strings.Repeat("x", 200_000), Complete).wire
	for name, wire := range map[string]string{"nothing": "", "a line": line, "many lines": strings.Repeat(line, 1000), "a file": file, "a file and a line": file + line,
		"a large head": good("", "SEND", strings.Repeat("X: "+strings.Repeat("x", 300)+"\r\n", 50), "", Complete).wire} {
		before := heap()
		kept := make([]*Decoder, decoders)
		for i := range kept {
			kept[i] = NewDecoder(&paused{wire}, nil)
			_, err := kept[i].Next()
			for err == nil {
				_, err = kept[i].Next()
			}
			require.Equal(t, errPause, err)
			require.LessOrEqual(t, len(kept[i].buf), idleBytes)
			kept[i].r = nil
		}
		require.LessOrEqual(t, (heap()-before)/decoders, int64(most), name)
		runtime.KeepAlive(kept)
	}
	require.LessOrEqual(t, int(unsafe.Sizeof(Decoder{}))+idleBytes, most)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the pool lets go at the second
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// endless gives a beginning, then the same byte again and again, and counts.
type endless struct {
	begin string
	fill  []byte
	n     int64
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.begin)
	if e.begin = e.begin[n:]; n == 0 {
		n = copy(p, e.fill)
	}
	e.n += int64(n)
	return n, nil
}

// A header line of 2 GiB is refused at the limit, and costs no memory beyond it.
func TestEndlessHeaderLine(t *testing.T) {
	fill := []byte(strings.Repeat("x", 1<<20))
	for _, begin := range []string{"MSRP d93kswow SEND\r\n" + paths + "X: ", "MSRP d93kswow SEND\r\nX", "MSRP d93kswow 200 ", "MSRP d93kswow SEND\r\n" + paths + "To-Path: "} {
		for _, limits := range []*Limits{nil, {HeadBytes: 3 << 20}} {
			r := &endless{begin: begin, fill: fill}
			d := NewDecoder(r, limits)
			_, err := d.Next()
			require.ErrorIs(t, err, ErrTooLarge)
			require.LessOrEqual(t, r.n, int64(d.limits.HeadBytes+readBytes))
			require.LessOrEqual(t, len(d.buf), max(readBytes, d.limits.HeadBytes))
		}
	}
}

// A body of any length passes in the memory of one buffer.
func TestRFC4975_5_1_EndlessBody(t *testing.T) {
	const size = 512 << 20
	c := good("", "SEND", "Message-ID: 456so39s\r\nByte-Range: 1-*/*\r\nContent-Type: text/plain\r\n", "", More)
	r := &endless{begin: strings.TrimSuffix(c.wire, "\r\n-------d93kswow+\r\n"), fill: []byte(strings.Repeat("x", readBytes))}
	d := NewDecoder(r, nil)
	_, err := d.Next()
	require.NoError(t, err)
	for got := 0; got < size; {
		piece, err := d.Body()
		require.NoError(t, err)
		got += len(piece)
		require.LessOrEqual(t, len(d.buf), readBytes)
	}
}

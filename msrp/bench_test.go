package msrp

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func benchFrame(size int) (*Frame, []byte) {
	c := good("", "SEND", fmt.Sprintf("Message-ID: 12339sdqwer\r\nByte-Range: 1-%d/%[1]d\r\nContent-Type: text/plain;charset=utf-8\r\n", size), "", Complete)
	return c.want, []byte(strings.Repeat("x", size))
}

func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{100, 2 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			f, body := benchFrame(size)
			wire, err := AppendFrame(nil, f, body)
			require.NoError(b, err)
			d := NewDecoder(&loop{data: wire}, nil)
			b.SetBytes(int64(len(wire)))
			b.ReportAllocs()
			for b.Loop() {
				_, err := d.Next()
				for err == nil {
					_, err = d.Body()
				}
				if err != io.EOF {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, size := range []int{100, 2 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			f, body := benchFrame(size)
			wire, err := AppendFrame(nil, f, body)
			require.NoError(b, err)
			b.SetBytes(int64(len(wire)))
			b.ReportAllocs()
			for b.Loop() {
				if wire, err = AppendFrame(wire[:0], f, body); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
		})
	}
}

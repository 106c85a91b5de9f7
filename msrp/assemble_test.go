package msrp

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// chunk is what arrives of a message: its range as written, its bytes, its flag.
type chunk struct {
	r    string
	body string
	flag Continuation
}

// assemble gives chunks to an assembly. ok is false if one was refused.
func assemble(t testing.TB, a *assembly, chunks []chunk) (ok bool) {
	for _, c := range chunks {
		var r ByteRange
		if c.r != "" {
			var err error
			r, err = parseByteRange([]byte(c.r))
			require.NoError(t, err)
		}
		a.begin(r)
		if len(c.body) > 0 && !a.write([]byte(c.body)) || !a.end(c.flag) {
			return false
		}
	}
	return true
}

func TestRFC4975_7_3_1_Assembly(t *testing.T) {
	for name, c := range map[string]struct {
		chunks []chunk
		want   string // "" if something is missing
	}{
		"one chunk":                {[]chunk{{"1-5/5", "hello", '$'}}, "hello"},
		"one chunk, no range":      {[]chunk{{"", "hello", '$'}}, "hello"},
		"in order":                 {[]chunk{{"1-3/9", "abc", '+'}, {"4-6/9", "def", '+'}, {"7-9/9", "ghi", '$'}}, "abcdefghi"},
		"open ends":                {[]chunk{{"1-*/*", "abc", '+'}, {"4-*/*", "def", '+'}, {"7-*/*", "ghi", '$'}}, "abcdefghi"},
		"last first":               {[]chunk{{"7-9/9", "ghi", '$'}, {"4-6/9", "def", '+'}, {"1-3/9", "abc", '+'}}, "abcdefghi"},
		"last in the middle":       {[]chunk{{"1-*/9", "abc", '+'}, {"7-*/9", "ghi", '$'}, {"4-*/9", "def", '+'}}, "abcdefghi"},
		"a gap":                    {[]chunk{{"1-3/9", "abc", '+'}, {"7-9/9", "ghi", '$'}}, ""},
		"no last chunk":            {[]chunk{{"1-3/9", "abc", '+'}, {"4-9/9", "defghi", '+'}}, ""},
		"no first chunk":           {[]chunk{{"4-6/6", "def", '$'}}, ""},
		"later bytes win":          {[]chunk{{"1-6/8", "abcdef", '+'}, {"4-8/8", "XYZgh", '$'}}, "abcXYZgh"},
		"later bytes win inside":   {[]chunk{{"1-6/8", "abcdef", '+'}, {"2-3/8", "XY", '+'}, {"7-8/8", "gh", '$'}}, "aXYdefgh"},
		"over two gaps":            {[]chunk{{"3-4/9", "cd", '+'}, {"7-8/9", "gh", '+'}, {"2-9/9", "BCDEFGHI", '$'}, {"1-1/9", "a", '+'}}, "aBCDEFGHI"},
		"sent twice":               {[]chunk{{"1-3/6", "abc", '+'}, {"1-3/6", "abc", '+'}, {"4-6/6", "def", '$'}}, "abcdef"},
		"the $ chunk has the size": {[]chunk{{"1-3/99", "abc", '+'}, {"4-6/99", "def", '$'}}, "abcdef"},
		"$ from 1 is everything":   {[]chunk{{"1-3/9", "abc", '+'}, {"7-8/9", "gh", '+'}, {"1-5/5", "hello", '$'}}, "hello"},
		"no range is everything":   {[]chunk{{"1-3/9", "abc", '+'}, {"7-8/9", "gh", '+'}, {"", "hello", '$'}}, "hello"},
		"another range from 1":     {[]chunk{{"1-*/*", "abc", '+'}, {"1-*/5", "hello", '$'}}, "hello"},
		"shorter than its range":   {[]chunk{{"1-9/9", "abc", '+'}, {"4-9/9", "defghi", '$'}}, "abcdefghi"},
		"interrupted at its end":   {[]chunk{{"1-*/3", "abc", '+'}, {"4-3/3", "", '$'}}, "abc"},
		"an empty end":             {[]chunk{{"1-3/3", "abc", '+'}, {"", "", '$'}}, "abc"},
		"an empty chunk":           {[]chunk{{"1-*/6", "abc", '+'}, {"1-0/0", "", '+'}, {"4-*/6", "def", '$'}}, "abcdef"},
		"an empty message":         {[]chunk{{"1-0/0", "", '$'}}, "empty"},

		// What peers out there do.
		"AG Projects' relay":                   {[]chunk{{"1-5/5", "hel", '+'}, {"1-5/5", "lo", '$'}}, "hello"},
		"AG Projects' relay, open end":         {[]chunk{{"1-3/9", "abc", '+'}, {"4-*/9", "de", '+'}, {"4-*/9", "f", '+'}, {"4-*/9", "ghi", '$'}}, "abcdefghi"},
		"AG Projects' relay, two cut":          {[]chunk{{"1-3/6", "ab", '+'}, {"1-3/6", "c", '+'}, {"4-6/6", "d", '+'}, {"4-6/6", "ef", '$'}}, "abcdef"},
		"AG Projects' relay, 2 and 5 of 5":     {[]chunk{{"1-5/5", "ä", '+'}, {"1-5/5", "öabc", '$'}}, "äöabc"},
		"AG Projects' relay, 5 and 2 of 5":     {[]chunk{{"1-5/5", "äöa", '+'}, {"1-5/5", "bc", '$'}}, "äöabc"},
		"Blink counts characters":              {[]chunk{{"1-5/5", "äöüßé", '$'}}, "äöüßé"},
		"characters in several chunks":         {[]chunk{{"1-3/9", "äöü", '+'}, {"4-6/9", "ßéà", '+'}, {"7-9/9", "ñçx", '$'}}, "äöüßéàñçx"},
		"no range anywhere (msrp-node-lib)":    {[]chunk{{"", "abc", '+'}, {"", "def", '+'}, {"", "ghi", '$'}}, "abcdefghi"},
		"no range but on the first":            {[]chunk{{"1-3/3", "abc", '+'}, {"", "", '+'}, {"", "", '$'}}, "abc"},
		"one range for all, reaches the total": {[]chunk{{"1-6/6", "abcdef", '+'}, {"1-6/6", "ghi", '$'}}, "abcdefghi"},

		// Contradictions.
		"$ before bytes that are there": {[]chunk{{"1-6/9", "abcdef", '+'}, {"3-4/9", "XY", '$'}}, "refused"},
		"$ before bytes behind a gap":   {[]chunk{{"7-8/9", "gh", '+'}, {"4-5/9", "de", '$'}}, "refused"},
		"bytes behind $":                {[]chunk{{"4-6/6", "def", '$'}, {"7-9/9", "ghi", '+'}}, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			var a assembly
			ok := assemble(t, &a, c.chunks)
			require.Equal(t, c.want != "refused", ok)
			require.Equal(t, c.want != "" && c.want != "refused", a.whole())
			if a.whole() {
				require.Equal(t, strings.TrimPrefix(c.want, "empty"), string(a.head.bytes))
			}
		})
	}
}

// Whatever the order, the sizes and the overlaps, the assembly is what a buffer of the whole message would be.
func TestRFC4975_7_3_1_AnyOrder(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		size := 1 + rnd.IntN(400)
		want, have := make([]byte, size), make([]bool, size)
		var a assembly
		missing := rnd.Perm(size) // in which order
		for len(missing) > 0 {
			from := missing[0]
			n := 1 + rnd.IntN(size-from)
			piece := make([]byte, n)
			for i := range piece {
				piece[i] = byte(rnd.Uint32())
			}
			before := slices.Clone(have)
			copy(want[from:], piece)
			for i := range n {
				have[from+i] = true
			}
			a.begin(ByteRange{int64(from) + 1, int64(from + n), int64(size)})
			if !a.write(piece) { // too many gaps
				have = before
				break
			}
			a.at = 0 // for this test no range carries another on
			missing = slices.DeleteFunc(missing, func(i int) bool { return have[i] })
			check(t, &a)
		}
		if len(missing) == 0 {
			require.Empty(t, a.ahead)
			require.Equal(t, want, a.head.bytes, "seed %d", seed)
		}
	}
}

// check looks at what always holds between two writes.
func check(t testing.TB, a *assembly) {
	t.Helper()
	end := a.head.end()
	for i := range a.ahead {
		x := &a.ahead[i]
		require.NotEmpty(t, x.bytes)
		require.True(t, x.at > end || i > 0 && x.at == end, "sorted, not overlapping, a gap behind the head")
		end = x.end()
	}
	require.LessOrEqual(t, len(a.ahead), maxExtents)
}

// 100,000 tiny chunks cost no more for each than a few, in order, in reverse order, and in order behind a gap: bytes are not copied again and again.
func TestRFC4975_7_3_1_TinyChunks(t *testing.T) {
	const n, size = 100_000, 80
	for name, place := range map[string]func(i int) int{
		"in order": func(i int) int { return i }, "reverse": func(i int) int { return n - 1 - i },
		"first last": func(i int) int { return (i + 1) % n },
		"by halves":  func(i int) int { return i/2 + i%2*n/2 },
	} {
		t.Run(name, func(t *testing.T) {
			var a assembly
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			piece := make([]byte, size)
			for i := range n {
				from := place(i) * size
				a.begin(ByteRange{int64(from) + 1, int64(from) + size, n * size})
				if !a.write(piece) {
					t.Fatal("too many gaps")
				}
			}
			runtime.ReadMemStats(&after)
			require.Empty(t, a.ahead)
			require.Len(t, a.head.bytes, n*size)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(40*n*size), "allocated on the way; 4,000 times as much if each chunk were copied for each other")
		})
	}
}

// Many gaps are refused before they cost much.
func TestRFC4975_7_3_1_TooManyGaps(t *testing.T) {
	var a assembly
	for i := range maxExtents {
		a.begin(ByteRange{int64(2*i + 2), Unknown, Unknown})
		require.True(t, a.write([]byte("x")))
	}
	a.begin(ByteRange{1_000_000_000_000, Unknown, Unknown})
	require.False(t, a.write([]byte("x")))
	a.begin(ByteRange{3, Unknown, Unknown}) // closes one
	require.True(t, a.write([]byte("x")))
	require.Equal(t, maxExtents+1, a.size())
	check(t, &a)
}

func BenchmarkAssembly(b *testing.B) {
	for _, order := range []string{"in order", "reverse"} {
		b.Run(fmt.Sprint(order), func(b *testing.B) {
			const n, size = 10_000, 100
			piece := make([]byte, size)
			b.SetBytes(n * size)
			for b.Loop() {
				var a assembly
				for i := range int64(n) {
					if order == "reverse" {
						i = n - 1 - i
					}
					a.begin(ByteRange{i*size + 1, Unknown, Unknown})
					a.write(piece)
				}
			}
		})
	}
}

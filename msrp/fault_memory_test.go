package msrp_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// slack is for what is not the peer's doing: goroutines, pools, the buffers of the network in memory.
const slack = 1 << 20

// endless writes the same piece until the connection has had enough of it, and returns how many bytes were taken.
func endless(t *testing.T, w io.Writer, piece string, most int) (sent int) {
	t.Helper()
	for sent < most {
		n, err := io.WriteString(w, piece)
		if sent += n; err != nil {
			return sent
		}
	}
	return sent
}

// A header line of 2 GiB, a start line that does not end, headers without number: the session ends within the limits of a head, and keeps nothing.
func TestFaultEndlessHead(t *testing.T) {
	long := strings.Repeat("x", 32<<10)
	for name, head := range map[string]struct{ begin, piece string }{
		"header line": {"MSRP aaaa1 SEND\r\nX-Long: ", long},
		"To-Path":     {"MSRP aaaa1 SEND\r\nTo-Path: ", long},
		"name":        {"MSRP aaaa1 SEND\r\n", long},
		"start line":  {"MSRP aaaa1 ", long},
		"comment":     {"MSRP aaaa1 200 ", long},
		"headers":     {"MSRP aaaa1 SEND\r\n", strings.Repeat("X-More: 1\r\n", 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, role msrp.Role) {
				s, p := withPeer(t, role, nil)
				before, begin := heap(), time.Now()
				_, err := io.WriteString(p.Conn, head.begin)
				require.NoError(t, err)
				require.Less(t, endless(t, p.Conn, head.piece, 2<<30), 512<<10)
				<-s.Done()
				require.ErrorIs(t, s.Err(), msrp.ErrTooLarge)
				require.Zero(t, time.Since(begin))
				require.Less(t, heap()-before, int64(slack))
			})
		})
	}
}

// The same from a stranger, who has named no session yet.
func TestFaultEndlessHeadFromAStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &msrptest.Network{Record: -1}
		endpoint(t, n, "app.example.com:2855", nil)
		for _, begin := range []string{"", "MSRP aaaa1 SEND\r\nX-Long: "} {
			c, err := n.DialContext(t.Context(), "tcp", "app.example.com:2855")
			require.NoError(t, err)
			_, err = io.WriteString(c, begin)
			require.NoError(t, err)
			require.Less(t, endless(t, c, strings.Repeat("x", 32<<10), 2<<30), 512<<10)
			require.NoError(t, c.Close())
		}
	})
}

// A body without end is refused and costs no more than a message may.
func TestFaultEndlessBody(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role msrp.Role) {
		const most = 1 << 20
		s, p := withPeer(t, role, &msrp.Options{MaxMessage: most})
		before := heap()
		begun, _, _ := strings.Cut(request(p, "aaaa1", "Message-ID: m1234\r\nByte-Range: 1-*/*\r\nContent-Type: text/plain\r\n", "|", msrp.Complete), "|")
		_, err := io.WriteString(p.Conn, begun)
		require.NoError(t, err)
		piece := strings.Repeat("x", 32<<10)
		for range 32 {
			require.Equal(t, most, endless(t, p.Conn, piece, most))
			require.Less(t, heap()-before, int64(3*most+slack))
		}
		_, err = io.WriteString(p.Conn, "\r\n-------aaaa1$\r\n")
		require.NoError(t, err)
		f, err := p.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, msrp.StatusStopSending, f.Status)
		require.Less(t, heap()-before, int64(slack))
		alive(t, s, p)
	})
}

// exchange sends n requests and counts the responses by status. It reads them after every 16 KiB: a peer that lets many wait may be cut off.
func exchange(t *testing.T, p *msrptest.Peer, n int, request func(i int) string) map[int]int {
	t.Helper()
	codes, missing := map[int]int{}, 0
	d := msrp.NewDecoder(p.Conn, nil) // unlike Peer.Next it keeps no frame
	var wire strings.Builder
	for i := range n {
		wire.WriteString(request(i))
		if missing++; wire.Len() < 16<<10 && i < n-1 {
			continue
		}
		_, err := io.WriteString(p.Conn, wire.String())
		require.NoError(t, err)
		wire.Reset()
		for missing > 0 {
			f, err := d.Next()
			require.NoError(t, err)
			if !f.IsRequest() { // else a report
				codes[f.Status]++
				missing--
			}
		}
	}
	return codes
}

// A message in 100,000 chunks of a byte each arrives whole.
func TestFaultTinyChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tiny = 100_000
		s, p := withPeer(t, msrp.Passive, nil)
		before := heap()
		codes := exchange(t, p, tiny, func(i int) string {
			flag := msrp.More
			if i == tiny-1 {
				flag = msrp.Complete
			}
			return request(p, "aaaa1", fmt.Sprintf("Message-ID: m1234\r\nByte-Range: %d-%[1]d/%d\r\nContent-Type: text/plain\r\n", i+1, tiny), string('a'+rune(i%26)), flag)
		})
		require.Equal(t, map[int]int{msrp.StatusOK: tiny}, codes)
		m, err := s.Receive(t.Context())
		require.NoError(t, err)
		require.Len(t, m.Body, tiny)
		for i, b := range m.Body {
			require.Equal(t, byte('a'+i%26), b)
		}
		require.Less(t, heap()-before, int64(tiny*3+slack))
		alive(t, s, p)
	})
}

// The same with a gap between any two of them: what cannot be kept within bounds is refused, each chunk gets its answer, and in the end nothing stays.
func TestFaultTinyChunksWithGaps(t *testing.T) {
	const tiny = 20_000
	for name, place := range map[string]func(i int) int64{
		"every second":   func(i int) int64 { return 2*int64(i) + 1 },
		"from the end":   func(i int) int64 { return 2 * int64(tiny-i) },
		"far apart":      func(i int) int64 { return int64(i)*1_000_000_000_000 + 1 },
		"the same place": func(i int) int64 { return 7 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := withPeer(t, msrp.Passive, nil)
				before := heap()
				codes := exchange(t, p, tiny, func(i int) string {
					return request(p, "aaaa1", fmt.Sprintf("Message-ID: m1234\r\nByte-Range: %d-%[1]d/*\r\nContent-Type: text/plain\r\n", place(i)), "x", msrp.More)
				})
				require.Equal(t, tiny, codes[msrp.StatusOK]+codes[msrp.StatusStopSending])
				if name != "the same place" {
					require.LessOrEqual(t, codes[msrp.StatusOK], 65, "64 parts of a message")
				}
				require.Less(t, heap()-before, int64(slack))
				time.Sleep(5 * time.Minute) // forgets it
				require.NoError(t, s.Err())
				require.Empty(t, received(t, s))
			})
		})
	}
}

// 10,000 messages that are begun and not finished: 16 are kept, the others refused, and what is kept is within MaxMessage. After two minutes
// they are forgotten and others may begin.
func TestFaultUnfinishedMessages(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role msrp.Role) {
		const most, many, size = 1 << 20, 10_000, 10_000
		s, p := withPeer(t, role, &msrp.Options{MaxMessage: most})
		before := heap()
		body := strings.Repeat("x", size)
		begun := func(prefix string) func(i int) string {
			return func(i int) string {
				return request(p, "aaaa1", fmt.Sprintf("Message-ID: %s%d\r\nByte-Range: 1-%d/*\r\nContent-Type: text/plain\r\n", prefix, 1000+i, size), body, msrp.More)
			}
		}
		require.Equal(t, map[int]int{msrp.StatusOK: 16, msrp.StatusStopSending: many - 16}, exchange(t, p, many, begun("m")))
		require.Less(t, heap()-before, int64(most+slack))
		for range 10 { // together more than MaxMessage
			time.Sleep(3 * time.Minute)
			require.Equal(t, map[int]int{msrp.StatusOK: 16}, exchange(t, p, 16, begun("n")))
		}
		require.NoError(t, s.Err())
	})
}

// What nobody receives is kept up to the inbox's limits and refused from then on; what was kept can still be had.
func TestFaultNobodyReceives(t *testing.T) {
	const most, many, size = 4 << 20, 1000, 64 << 10
	for name, o := range map[string]struct {
		options msrp.Options
		kept    int
	}{
		"bytes":    {msrp.Options{MaxMessage: most, InboxBytes: most, InboxMessages: many}, most / size},
		"messages": {msrp.Options{MaxMessage: most, InboxMessages: 10}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, role msrp.Role) {
				s, p := withPeer(t, role, &o.options)
				before := heap()
				body := strings.Repeat("x", size)
				codes := exchange(t, p, many, func(i int) string {
					return request(p, "aaaa1", fmt.Sprintf("Message-ID: m%d\r\nContent-Type: text/plain\r\n", 1000+i), body, msrp.Complete)
				})
				require.Equal(t, map[int]int{msrp.StatusOK: o.kept, msrp.StatusStopSending: many - o.kept}, codes)
				require.Less(t, heap()-before, int64(2*o.kept*size+slack))
				for range o.kept {
					m, err := s.Receive(t.Context())
					require.NoError(t, err)
					require.Len(t, m.Body, size)
				}
				alive(t, s, p)
			})
		})
	}
}

// Ranges that overlap, contradict each other or promise what nobody has: nothing that was not sent is handed out, memory follows what was sent and not what
// was promised, every chunk is answered, and the session goes on.
func TestFaultLyingRanges(t *testing.T) {
	numbers := []int64{0, 1, 2, 3, 5, 8, 100, 2049, 1 << 31, 1 << 40, 999_999_999_999_999_999}
	count := func(r *rand.Rand) string {
		if r.IntN(5) == 0 {
			return "*"
		}
		return fmt.Sprint(numbers[r.IntN(len(numbers))])
	}
	inBothRoles(t, func(t *testing.T, role msrp.Role) {
		s, p := withPeer(t, role, nil)
		before := heap()
		const rounds, chunks = 300, 8
		for round := range rounds {
			r := rand.New(rand.NewPCG(1, uint64(round)))
			codes := exchange(t, p, chunks, func(int) string {
				flag := []msrp.Continuation{msrp.More, msrp.More, msrp.Complete, msrp.Aborted}[r.IntN(4)]
				claim := fmt.Sprintf("%d-%s/%s", 1+numbers[r.IntN(len(numbers))]/2, count(r), count(r))
				return request(p, "aaaa1", fmt.Sprintf("Message-ID: m%d\r\nByte-Range: %s\r\nContent-Type: text/plain\r\n", 1000+round/2, claim), strings.Repeat("x", r.IntN(10)), flag)
			})
			require.Equal(t, chunks, codes[msrp.StatusOK]+codes[msrp.StatusStopSending]+codes[msrp.StatusBadRequest], codes)
			require.NoError(t, s.Err())
		}
		require.Less(t, heap()-before, int64(slack))
		for _, text := range received(t, s) {
			require.LessOrEqual(t, len(text), 2*chunks*10)
			require.Empty(t, strings.Trim(text, "x"))
		}
	})
}

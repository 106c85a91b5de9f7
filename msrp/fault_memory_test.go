package msrp_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
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

// answers reads n responses of the session while the peer writes, and counts them by status.
func answers(t *testing.T, p *msrptest.Peer, n int) <-chan map[int]int {
	t.Helper()
	counted := make(chan map[int]int, 1)
	go func() {
		codes := map[int]int{}
		d := msrp.NewDecoder(p.Conn, nil) // frames are not kept, as Next would
		for n > 0 {
			f, err := d.Next()
			if !assert.NoError(t, err) {
				break
			}
			if !f.IsRequest() { // else a report
				codes[f.Status]++
				n--
			}
		}
		counted <- codes
	}()
	return counted
}

const tiny = 100_000

// A message in 100,000 chunks of a byte each arrives whole.
func TestFaultTinyChunks(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role msrp.Role) {
		s, p := withPeer(t, role, nil)
		before := heap()
		codes := answers(t, p, tiny)
		var wire bytes.Buffer
		for i := range tiny {
			flag := msrp.More
			if i == tiny-1 {
				flag = msrp.Complete
			}
			wire.WriteString(request(p, "aaaa1", fmt.Sprintf("Message-ID: m1234\r\nByte-Range: %d-%[1]d/%d\r\nContent-Type: text/plain\r\n", i+1, tiny), string('a'+rune(i%26)), flag))
			if wire.Len() > 32<<10 {
				_, err := wire.WriteTo(p.Conn)
				require.NoError(t, err)
			}
		}
		_, err := wire.WriteTo(p.Conn)
		require.NoError(t, err)
		require.Equal(t, map[int]int{msrp.StatusOK: tiny}, <-codes)
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
				codes := answers(t, p, tiny)
				var wire bytes.Buffer
				for i := range tiny {
					wire.WriteString(request(p, "aaaa1", fmt.Sprintf("Message-ID: m1234\r\nByte-Range: %d-%[1]d/*\r\nContent-Type: text/plain\r\n", place(i)), "x", msrp.More))
					if wire.Len() > 32<<10 {
						_, err := wire.WriteTo(p.Conn)
						require.NoError(t, err)
					}
				}
				_, err := wire.WriteTo(p.Conn)
				require.NoError(t, err)
				total := 0
				for code, n := range <-codes {
					require.Contains(t, []int{msrp.StatusOK, msrp.StatusStopSending}, code)
					total += n
				}
				require.Equal(t, tiny, total)
				require.Less(t, heap()-before, int64(slack))
				drainForgotten(t, s, p)
			})
		})
	}
}

// drainForgotten lets the time of unfinished messages pass, with whatever reports it causes.
func drainForgotten(t *testing.T, s *msrp.Session, p *msrptest.Peer) {
	t.Helper()
	time.Sleep(5 * time.Minute)
	require.NoError(t, s.Err())
}

// 10,000 messages that are begun and not finished: 16 are kept, the others refused, and what is kept is within MaxMessage. After two minutes
// they are forgotten and others may begin.
func TestFaultUnfinishedMessages(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role msrp.Role) {
		const most, many, size = 1 << 20, 10_000, 10_000
		s, p := withPeer(t, role, &msrp.Options{MaxMessage: most})
		before := heap()
		body := strings.Repeat("x", size)
		codes := answers(t, p, many)
		for i := range many {
			_, err := io.WriteString(p.Conn, request(p, "aaaa1", fmt.Sprintf("Message-ID: m%d\r\nByte-Range: 1-%d/*\r\nContent-Type: text/plain\r\n", 1000+i, size), body, msrp.More))
			require.NoError(t, err)
		}
		counted := <-codes
		require.Equal(t, map[int]int{msrp.StatusOK: 16, msrp.StatusStopSending: many - 16}, counted)
		require.Less(t, heap()-before, int64(most+slack))

		time.Sleep(3 * time.Minute)
		synctest.Wait()
		codes = answers(t, p, 16)
		for i := range 16 {
			_, err := io.WriteString(p.Conn, request(p, "aaaa1", fmt.Sprintf("Message-ID: n%d\r\nByte-Range: 1-%d/*\r\nContent-Type: text/plain\r\n", 1000+i, size), body, msrp.More))
			require.NoError(t, err)
		}
		require.Equal(t, 16, (<-codes)[msrp.StatusOK])
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
				codes := answers(t, p, many)
				for i := range many {
					_, err := io.WriteString(p.Conn, request(p, "aaaa1", fmt.Sprintf("Message-ID: m%d\r\nContent-Type: text/plain\r\n", 1000+i), body, msrp.Complete))
					require.NoError(t, err)
				}
				require.Equal(t, map[int]int{msrp.StatusOK: o.kept, msrp.StatusStopSending: many - o.kept}, <-codes)
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
			codes := answers(t, p, chunks)
			sent := 0
			for range chunks {
				body := strings.Repeat("x", r.IntN(10))
				sent += len(body)
				start := fmt.Sprint(1 + numbers[r.IntN(len(numbers))]/2)
				flag := []msrp.Continuation{msrp.More, msrp.More, msrp.Complete, msrp.Aborted}[r.IntN(4)]
				_, err := io.WriteString(p.Conn, request(p, "aaaa1", fmt.Sprintf("Message-ID: m%d\r\nByte-Range: %s-%s/%s\r\nContent-Type: text/plain\r\n", 1000+round/2, start, count(r), count(r)), body, flag))
				require.NoError(t, err)
			}
			total := 0
			for code, n := range <-codes {
				require.Contains(t, []int{msrp.StatusOK, msrp.StatusStopSending}, code)
				total += n
			}
			require.Equal(t, chunks, total)
			require.NoError(t, s.Err())
		}
		require.Less(t, heap()-before, int64(slack))
		for _, text := range received(t, s) {
			require.LessOrEqual(t, len(text), 2*chunks*10)
			require.Empty(t, strings.Trim(text, "x"))
		}
	})
}

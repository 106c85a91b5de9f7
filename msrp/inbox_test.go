package msrp

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The inbox keeps its order while it grows and shrinks, and an empty one is small again.
func TestInboxGrowsAndShrinks(t *testing.T) {
	b := newInbox(&Options{InboxMessages: 1000, InboxBytes: 1 << 20})
	next, want := 0, 0
	for _, n := range []int{1, 9, 1000, 3, 700, 0} { // fill up to n, then drain to n/2
		for b.count < n {
			require.True(t, b.put(&Message{ID: fmt.Sprint(next), Body: []byte("xx")}))
			next++
		}
		require.Equal(t, n < 1000, b.count < b.mostMessages)
		require.Equal(t, 2*b.count, b.bytes)
		for b.count > n/2 {
			m, _ := b.take()
			require.Equal(t, fmt.Sprint(want), m.ID)
			want++
		}
	}
	m, _ := b.take()
	require.Nil(t, m)
	require.Zero(t, b.bytes)
	require.Len(t, b.ring, firstRing)
	for _, m := range b.ring {
		require.Nil(t, m)
	}
}

func TestInboxBounds(t *testing.T) {
	b := newInbox(&Options{InboxMessages: 2, InboxBytes: 1000})
	require.True(t, b.put(&Message{Body: make([]byte, 600)}))
	require.False(t, b.put(&Message{Body: make([]byte, 401)}))
	require.False(t, b.put(&Message{ContentType: strings.Repeat("x", freeHead+401)}), "headers count, but for the first 512 bytes")
	require.False(t, b.put(&Message{Header: []Header{{[]byte(strings.Repeat("x", freeHead)), make([]byte, 401)}}}))
	require.False(t, b.put(&Message{from: strings.Repeat("x", freeHead+401)}), "so does a path of its own")
	require.True(t, b.put(&Message{ContentType: strings.Repeat("x", freeHead), Body: make([]byte, 400)}))
	require.False(t, b.put(&Message{}), "a third")
	require.Equal(t, 1000, b.bytes)
}

// No allocation per message in the steady state.
func TestInboxDoesNotAllocate(t *testing.T) {
	b := newInbox(&Options{InboxMessages: 1000, InboxBytes: 1 << 20})
	m := &Message{}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for range firstRing {
			b.put(m)
		}
		for range firstRing {
			b.take()
		}
	}))
}

// Several receivers share the messages, none is lost or seen twice, and one that gives up takes no wake-up with it.
func TestManyReceivers(t *testing.T) {
	const n = 2000
	a, p := pair(t, &Options{InboxMessages: n}) // the sender may be faster
	var mu sync.Mutex
	seen := map[string]int{}
	all, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for all.Err() == nil {
				within, cancel := all, context.CancelFunc(func() {})
				if i%2 == 0 {
					within, cancel = context.WithTimeout(all, 50*time.Microsecond)
				}
				m, err := p.Receive(within)
				cancel()
				if err != nil {
					continue
				}
				mu.Lock()
				if seen[string(m.Body)]++; len(seen) == n {
					stop()
				}
				mu.Unlock()
			}
		})
	}
	for i := range n {
		_, err := a.Send(ctx, text(fmt.Sprint(i)))
		require.NoError(t, err)
	}
	wg.Wait()
	require.Len(t, seen, n)
	for _, times := range seen {
		require.Equal(t, 1, times)
	}
}

// Two that wait both get one of two messages that come at once.
func TestEveryReceiverWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		defer s.e.Close()
		got := make(chan string, 2)
		for range 2 {
			go func() {
				m, err := s.Receive(ctx)
				if err == nil {
					got <- string(m.Body)
				}
			}()
		}
		synctest.Wait()
		for _, body := range []string{"one", "two"} {
			write(t, nc, frame(s, "aaaa1", "Failure-Report: no\r\nMessage-ID: m1234\r\nContent-Type: text/plain\r\n", body, Complete))
		}
		require.ElementsMatch(t, []string{"one", "two"}, []string{<-got, <-got})
		_ = d
	})
}

// What came before the end stays readable, nothing comes after it.
func TestReceiveAfterTheEnd(t *testing.T) {
	a, p := pair(t, nil)
	for _, body := range []string{"one", "two"} {
		d, err := a.Send(ctx, text(body))
		require.NoError(t, err)
		require.NoError(t, d.Wait(ctx))
	}
	require.NoError(t, p.Close())
	for _, want := range []string{"one", "two"} {
		m, err := p.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, want, string(m.Body))
	}
	for range 2 {
		_, err := p.Receive(ctx)
		require.ErrorIs(t, err, ErrClosed)
	}
}

// Headers that are not the protocol's own come with the message, as they are on its first chunk.
func TestReceivedHeaders(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	const first = "Message-ID: m1234\r\nByte-Range: 1-2/4\r\nContent-Disposition: attachment\r\nX-Note:  a b \r\nContent-Type: text/plain\r\n"
	write(t, nc, frame(s, "aaaa1", first, "ab", More))
	readFrame(d)
	write(t, nc, frame(s, "aaaa2", "Message-ID: m1234\r\nByte-Range: 3-4/4\r\nX-Other: c\r\nContent-Type: text/html\r\n", "cd", Complete))
	readFrame(d)
	write(t, nc, frame(s, "aaaa3", "Message-ID: m1235\r\nContent-Type: text/plain\r\n", "plain", Complete))
	readFrame(d)
	m, err := s.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, "abcd", string(m.Body))
	require.Equal(t, "text/plain", m.ContentType)
	require.Equal(t, []Header{{[]byte("Content-Disposition"), []byte("attachment")}, {[]byte("X-Note"), []byte("a b")}}, m.Header)
	m, err = s.Receive(ctx)
	require.NoError(t, err)
	require.Nil(t, m.Header)
}

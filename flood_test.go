package otrchat_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/otrsession"
	"github.com/otrchat/otrchat/sip"
)

// A thousand texts each way at once, under the race detector a hundred, arrive in order, all of them encrypted.
func TestThousandTextsEachWay(t *testing.T) {
	const n = manyTexts
	a, b := call(t, newUser(t, "alice", nil), newUser(t, "bob", nil))
	limit, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for _, pair := range [][2]*otrchat.EncryptedChat{{a, b}, {b, a}} {
		from, to := pair[0], pair[1]
		wg.Go(func() {
			for i := range n {
				d, err := from.Send(limit, fmt.Sprint(i))
				if err != nil || !d.Encrypted {
					t.Errorf("text %d: %v %v", i, d, err)
					return
				}
			}
		})
		wg.Go(func() {
			for i := 0; i < n; {
				e, err := to.Receive(limit)
				if err != nil {
					t.Errorf("text %d: %v", i, err)
					return
				}
				if m, ok := e.(otrchat.Message); ok {
					if m.Text != fmt.Sprint(i) || !m.Encrypted {
						t.Errorf("text %d: %+v", i, m)
						return
					}
					i++
				}
			}
		})
	}
	wg.Wait()
}

// An application that never takes an event can still send; what does not fit is refused on the wire, and nothing that was taken is lost.
func TestEventsAreNotTaken(t *testing.T) {
	a, l := meet(t, newUser(t, "alice", &otrchat.Options{Policy: otrchat.Never}), newPeer(t, nil, nil))
	const n = 2000
	var all [n]*msrp.Delivery
	for i := range all {
		all[i] = l.says(fmt.Sprint(i))
	}
	_, err := a.Send(limited(t), "still here")
	require.NoError(t, err)
	_, text := l.hears()
	require.Equal(t, "still here", text)

	taken, refused := 0, 0
	for i, d := range all {
		select {
		case <-d.Sent(): // answered
		case <-limited(t).Done():
		}
		select {
		case <-d.Done():
			var status *msrp.StatusError
			if errors.As(d.Wait(ctx), &status) { // other errors are about a report that the sender no longer waits for
				require.Equal(t, msrp.StatusStopSending, status.Code)
				refused++
				continue
			}
		default: // in the inbox
		}
		if refused == 0 {
			require.Equal(t, fmt.Sprint(i), next[otrchat.Message](t, a).Text)
			taken++
		}
	}
	require.GreaterOrEqual(t, taken, 1024+256) // the inbox and the events
	require.Positive(t, refused)
}

// A chat comes to its end even if nobody takes its events, and keeps them.
func TestEndWithFullQueue(t *testing.T) {
	a, l := meet(t, newUser(t, "alice", &otrchat.Options{Policy: otrchat.Never}), newPeer(t, nil, nil))
	for i := range 500 {
		<-l.says(fmt.Sprint(i)).Sent()
	}
	require.NoError(t, l.call.Bye(limited(t)))
	select {
	case <-a.Done():
	case <-limited(t).Done():
		require.Fail(t, "the chat does not end")
	}
	events, end := rest(t, a)
	require.ErrorIs(t, end, otrchat.ErrEnded)
	require.Len(t, events, 500)
	require.Equal(t, "499", events[499].(otrchat.Message).Text)
}

// What waits is bounded in bytes, too.
func TestLargeEventsAreNotTaken(t *testing.T) {
	a, l := meet(t, newUser(t, "alice", &otrchat.Options{Policy: otrchat.Never}), newPeer(t, nil, nil))
	text := strings.Repeat("x", 4<<20)
	var all []*msrp.Delivery
	refused := 0
	for refused == 0 {
		d := l.says(text)
		<-d.Sent()
		all = append(all, d)
		require.LessOrEqual(t, len(all), 12, "16 MiB of events, 16 MiB in the inbox, and some on the way")
		select {
		case <-d.Done():
			if d.Wait(ctx) != nil {
				refused++
			}
		default:
		}
	}
	for range len(all) - refused {
		require.Equal(t, len(text), len(next[otrchat.Message](t, a).Text))
	}
}

func TestHostileTexts(t *testing.T) {
	a, l := meet(t, newUser(t, "alice", &otrchat.Options{Policy: otrchat.Never}), newPeer(t, &sip.Options{DisplayName: `"><b>`}, nil))
	for text, why := range map[string]error{
		"": otrchat.ErrText, "a\x00b": otrchat.ErrText, "\xff": otrchat.ErrText, "?OTR?": otrchat.ErrText, "?OTR:AAMD.": otrchat.ErrText,
		"?OTR|1": otrchat.ErrText, "?OTR": otrchat.ErrText, strings.Repeat("x", 5<<20): otrchat.ErrTooLarge,
	} {
		_, err := a.Send(ctx, text)
		require.ErrorIs(t, err, why, "%.20q", text)
	}
	hostile := "\r\n-------a786hjs2$\r\nMSRP x SEND\r\n\x1b[2J"
	_, err := a.Send(ctx, hostile)
	require.NoError(t, err)
	_, text := l.hears()
	require.Equal(t, hostile, text)
	l.says("a\x00b\xff\x1b[2J" + hostile)
	require.Equal(t, "a\uFFFDb\uFFFD\x1b[2J"+hostile, next[otrchat.Message](t, a).Text)

	require.NoError(t, a.SetPolicy(ctx, otrchat.Opportunistic))
	l.turns(otrsession.Encrypted)
	lock(t, a, otrchat.Unverified)
	for _, text := range []string{"?OTR?", "?OTR:AAMD.", hostile} {
		_, err := a.Send(ctx, text)
		require.NoError(t, err)
		require.Equal(t, text, l.reads())
	}
	_, err = a.Send(ctx, "a\x00b")
	require.ErrorIs(t, err, otrchat.ErrText)
	_, err = a.Send(ctx, strings.Repeat("x", 4<<20))
	require.ErrorIs(t, err, otrchat.ErrTooLarge)
	says := "still here"
	_, err = a.Send(ctx, says)
	require.NoError(t, err)
	require.Equal(t, says, l.reads())
}

// A peer's max-size holds for what goes on the wire.
func TestMaxSize(t *testing.T) {
	p := newPeer(t, nil, nil)
	alice := newUser(t, "alice", &otrchat.Options{Policy: otrchat.Never})
	chats := make(chan *otrchat.EncryptedChat, 1)
	go func() {
		a, _ := alice.Call(limited(t), p.at)
		chats <- a
	}()
	i, err := p.agent.Accept(limited(t))
	require.NoError(t, err)
	require.EqualValues(t, 4<<20+16<<10, i.Offer().MaxSize)
	s, err := p.msrp.NewSession(nil)
	require.NoError(t, err)
	media := p.media(s, sip.SetupPassive)
	media.MaxSize = 1000
	c, err := i.Answer(limited(t), media)
	require.NoError(t, err)
	l, err := p.connect(limited(t), c, s, msrp.Passive)
	require.NoError(t, err)
	a := <-chats
	_, err = a.Send(ctx, strings.Repeat("x", 1001))
	require.ErrorIs(t, err, otrchat.ErrTooLarge)
	_, err = a.Send(ctx, strings.Repeat("x", 500))
	require.NoError(t, err)
	_, text := l.hears()
	require.Len(t, text, 500)
}

// A caller's hostile name and address end up neither in a header of ours nor in the way of its key.
func TestHostileName(t *testing.T) {
	notes := make(told, 4)
	bob := newUser(t, "bob", &otrchat.Options{Notifier: notes})
	for _, n := range []int{aliceKey, malloryKey} {
		alice := newUser(t, "alice", &otrchat.Options{Key: key(t, n), DisplayName: strings.Repeat("ü\"\\<sip:x@y>\u202e", 10)})
		a, b := encrypted(t, alice, bob)
		says(t, b, a, "hello", true)
		require.NoError(t, a.Close())
	}
	require.Equal(t, notify.FingerprintChanged, notes.heard(t).Kind)
}

// A Notifier that hangs or panics holds nothing up, and one that is never done with endings leaves room for changed keys.
func TestHostileNotifier(t *testing.T) {
	changed := make(told, 1)
	alice := newUser(t, "alice", &otrchat.Options{Notifier: notify.Func(func(ctx context.Context, n notify.Notification) error {
		if n.Kind == notify.FingerprintChanged {
			changed <- n
			panic("secret")
		}
		<-ctx.Done()
		return ctx.Err()
	})})
	a, l := encrypts(t, alice, newPeer(t, nil, nil))
	for range 20 {
		l.speaks(l.otr.End())
		lock(t, a, otrchat.Ended)
		l.speaks(l.otr.Start())
		l.turns(otrsession.Encrypted)
		lock(t, a, otrchat.Unverified)
	}
	require.NoError(t, a.Close())
	a = meets(t, alice, malloryKey)
	_, s := opening(t, a)
	require.Equal(t, otrchat.Changed, s)
	changed.heard(t)
}

// Each state of the lock has words of its own.
func TestWords(t *testing.T) {
	seen := map[string]bool{}
	for s := otrchat.NotEncrypted; s <= otrchat.Unavailable; s++ {
		require.NotEqual(t, "unknown", s.String())
		require.False(t, seen[s.String()])
		seen[s.String()] = true
		require.Equal(t, strings.HasPrefix(s.String(), "encrypted"), s.Encrypted(), s)
	}
	require.Equal(t, "unknown", otrchat.Security(-1).String())
	require.Equal(t, "unknown", otrchat.Security(99).String())
	require.Equal(t, "asked", otrchat.SMPAsked.String())
	require.Equal(t, "aborted", otrchat.SMPAborted.String())
	require.Equal(t, "unknown", otrchat.SMPProgress(99).String())
}

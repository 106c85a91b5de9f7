package relay

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
)

// A receiver that does not read holds back its sender, who has no other. It is cut off after 30 s, and nobody else notices.
func TestSlowReceiverHoldsItsSenderBack(t *testing.T) {
	abused(t, &Options{QueueBytes: leastQueue}, func(t *testing.T, g *rig, alice, bob *client) {
		carol, slow := g.client("carol"), g.client("carol")
		carol.talkTo(slow)
		begun, most := time.Now(), 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			carol.flood(1000, 10<<10, "no")
		}()
		for !isDone(done) {
			time.Sleep(time.Second)
			most = max(most, g.holds().QueuedBytes)
			g.serves(alice, bob)
		}
		require.Equal(t, 30*time.Second, time.Since(begun).Truncate(time.Second), "then the rest has no way")
		require.LessOrEqual(t, most, leastQueue+buffers)
		require.Greater(t, most, leastQueue/2)
		slow.gone()
		require.Equal(t, 3, g.holds().Connections)
	})
}

const buffers = 128 << 10 // of a frame that is read meanwhile, and of responses

func isDone(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// A sender with several receivers does not wait for the one that does not read: what is for that one is refused, and the others get theirs.
func TestSlowReceiverBesideOthers(t *testing.T) {
	abused(t, &Options{QueueBytes: leastQueue}, func(t *testing.T, g *rig, alice, bob *client) {
		carol, slow, dave := g.client("carol"), g.client("carol"), g.client("bob")
		carol.talkTo(dave)
		carol.send("dave01", "hello")
		carol.expect("dave01", msrp.StatusOK)
		carol.talkTo(slow)
		begun := time.Now()
		go carol.flood(100, 10<<10, "")
		seen := carol.count(100 * time.Millisecond)
		require.Equal(t, 100, seen[msrp.StatusOK]+seen[msrp.StatusStopSending])
		require.GreaterOrEqual(t, seen[msrp.StatusOK], leastQueue/(11<<10))
		require.NotZero(t, seen[msrp.StatusStopSending])
		require.Equal(t, int64(seen[msrp.StatusStopSending]), g.r.Stats().QueuesFull)
		carol.talkTo(dave)
		carol.send("dave02", "are you there?")
		carol.expect("dave02", msrp.StatusOK)
		require.Equal(t, "hello", string(dave.next().Body))
		require.Equal(t, "are you there?", string(dave.next().Body))
		require.Less(t, time.Since(begun), time.Second)
	})
}

// What waits on all connections together is bounded, too.
func TestTotalOfWhatWaits(t *testing.T) {
	const total = 1 << 20
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, &Options{MaxQueueBytes: total, MaxSessions: 1000})
		for range 20 {
			mallory, slow := g.client("carol"), g.client("carol")
			mallory.talkTo(slow)
			go mallory.flood(100, 60<<10, "no")
		}
		time.Sleep(time.Second)
		require.Greater(t, g.holds().QueuedBytes, total/2)
		require.LessOrEqual(t, g.holds().QueuedBytes, total)
		time.Sleep(30 * time.Minute) // they are cut off one after the other, as each of them gets the room of those before
		require.Zero(t, g.holds().QueuedBytes)
		g.r.Close()
	})
}

// A peer that sends and does not read our answers is not read either for a while, and then cut off.
func TestSenderThatDoesNotReadItsAnswers(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		mallory := g.client("carol")
		mallory.Remote = join(mallory.use, mustPath("msrp://relay.example.com:2855/gone;tcp"))
		begun := time.Now()
		go mallory.flood(100_000, 10, "")
		for g.holds().Connections > 2 {
			require.LessOrEqual(t, g.holds().QueuedBytes, owedBytes)
			time.Sleep(time.Second)
		}
		require.Less(t, time.Since(begun), 31*time.Second)
	})
}

// What one way has without an answer leaves room for others on the same connection.
func TestOneWayLeavesRoom(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		carol := g.client("carol")
		carol.talkTo(bob)
		dave := g.client("alice")
		carol.send("first1", "hello") // Carol has two receivers, so nothing of hers waits
		carol.talkTo(dave)
		carol.send("second", "hello")
		for _, c := range []*client{bob, dave} {
			c.answer(c.next(), msrp.StatusOK)
		}
		carol.talkTo(bob)
		go func() {
			for range maxPending {
				carol.request("wink01", "WINK", carol.Remote.String(), carol.Path.String())
			}
		}()
		go bob.count(time.Second) // and says nothing
		require.Equal(t, map[int]int{200: 2, 413: maxPending - maxUnanswered}, carol.count(time.Second))
		require.Equal(t, maxUnanswered, g.holds().Unanswered)
		g.serves(alice, bob)
		time.Sleep(31 * time.Second)
		require.Zero(t, g.holds().Unanswered)
		runtime.KeepAlive(dave)
	})
}

// What a user has without an answer on many ways, towards many connections, leaves room for others.
func TestOneUserLeavesRoom(t *testing.T) {
	abused(t, &Options{MaxSessions: 32}, func(t *testing.T, g *rig, alice, bob *client) {
		for range 3 {
			deaf := g.client("bob")
			for range maxPending / maxUnanswered {
				carol := g.client("carol")
				carol.talkTo(deaf)
				go func() {
					for range maxUnanswered {
						carol.request("wink01", "WINK", carol.Remote.String(), carol.Path.String())
					}
				}()
			}
			go deaf.count(time.Second)
		}
		waiting := g.holds().Unanswered
		require.GreaterOrEqual(t, waiting, 32*windowSends)
		require.LessOrEqual(t, waiting, 32*windowSends+12, "connections that are read at the same time may each go over by one")
		g.serves(alice, bob)
		time.Sleep(2 * time.Minute)
		require.Zero(t, g.holds().Unanswered)
	})
}

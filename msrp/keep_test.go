package msrp

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// renews reads the AUTH that renews a URI of so many seconds, given at a moment, and checks when it comes.
func (r *rawRelay) renews(given time.Time, seconds int) *Frame {
	r.Helper()
	f := r.auth()
	waited, whole := time.Since(given), time.Duration(seconds)*time.Second
	require.GreaterOrEqual(r, waited, whole*60/100)
	require.LessOrEqual(r, waited, whole*75/100)
	return f
}

// A URI is renewed before it expires, at the URI itself, as AG Projects' relay wants it, which gives no nonce ahead.
func TestRelayIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := dialRaw(t, byAlice())
		relay := r.login("Expires: 600")
		for range 3 {
			given := time.Now()
			f := r.renews(given, 600)
			require.Equal(t, rawUse, string(f.ToPath))
			require.Nil(t, f.Value("Authorization"), "the nonce was used")
			r.answer(f, "401 Unauthorized", rawAuth)
			f = r.auth()
			r.answer(f, "200 OK", "Use-Path: "+rawUse, r.info(f, ""), "Expires: 600")
			synctest.Wait()
		}
		require.NoError(t, relay.Err())
	})
}

// Not all clients of a relay come at once.
func TestRenewalsAreSpread(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 100 {
		var l lease
		begun := time.Now()
		l.extend(begun.Add(1000 * time.Second))
		seen[l.due.Sub(begun).Round(time.Second)] = true
	}
	require.Greater(t, len(seen), 20)
}

// A nonce that the relay has given ahead is used at once (RFC 7616 section 3.5), and asked for anew if it is too old by then.
func TestRFC7616_3_5_NextNonce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := dialRaw(t, byAlice())
		r.answer(r.auth(), "401 Unauthorized", rawAuth)
		f := r.auth()
		r.answer(f, "200 OK", "Use-Path: "+rawUse, r.info(f, "n2"), "Expires: 600")
		relay := (<-r.dialled).Relay
		f = r.auth()
		require.Equal(t, "n2", r.credentials(f).Nonce)
		require.Equal(t, uint32(1), r.credentials(f).NC)
		r.answer(f, "200 OK", "Use-Path: "+rawUse, r.info(f, "n3"), "Expires: 600")
		for _, stale := range []string{", stale=true", ""} { // a relay that was started anew does not know it
			f = r.auth()
			require.NotNil(t, f.Value("Authorization"))
			r.answer(f, "401 Unauthorized", strings.Replace(rawAuth, "n1", "n4", 1)+stale)
			f = r.auth()
			require.Equal(t, "n4", r.credentials(f).Nonce)
			r.answer(f, "200 OK", "Use-Path: "+rawUse, r.info(f, "n5"), "Expires: 600")
		}
		synctest.Wait()
		require.NoError(t, relay.Err())
	})
}

// A relay that does not know its own URI as a target is asked as the first time, and from then on.
func TestRelayIsRenewedAtItsOwnURI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := dialRaw(t, byAlice())
		relay := r.login("Expires: 600")
		f := r.auth()
		require.Equal(t, rawUse, string(f.ToPath))
		at := time.Now()
		r.answer(f, "481 No Such Session")
		for range 2 {
			f = r.auth()
			require.Equal(t, rawURI, string(f.ToPath))
			r.answer(f, "401 Unauthorized", rawAuth)
			f = r.auth()
			if at.IsZero() {
				require.Equal(t, rawURI, string(f.ToPath))
			} else {
				require.Equal(t, at, time.Now(), "without delay")
			}
			r.answer(f, "200 OK", "Use-Path: "+rawUse, r.info(f, ""), "Expires: 600")
			synctest.Wait()
			at = time.Time{}
		}
		require.NoError(t, relay.Err())
	})
}

// Kamailio gives a new URI for every AUTH, and the old one stays good for its time: until then so are the sessions, whose peers know no other.
func TestRelayRenewsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := dialRaw(t, byAlice())
		given := time.Now()
		relay := r.login("Expires: 600")
		s, err := relay.e.NewSession(&SessionOptions{Relay: relay})
		require.NoError(t, err)
		for _, to := range []string{rawUse, rawURI} {
			f := r.renews(given, 600)
			require.Equal(t, to, string(f.ToPath))
			r.answer(f, "200 OK", "Use-Path: msrp://relay.example.com:2855/new;tcp", "Expires: 600")
		}
		synctest.Wait()
		require.Equal(t, rawUse, relay.Path().String())
		require.NoError(t, s.Err())
		_, _, err = readFrame(r.d)
		require.ErrorIs(t, err, io.EOF, "it is asked no more, and ends")
		require.Equal(t, 600*time.Second, time.Since(given))
		<-s.Done()
		require.ErrorIs(t, s.Err(), ErrExpired)
		require.ErrorIs(t, relay.Err(), ErrExpired)
		require.ErrorIs(t, relay.Err(), errOtherURI)
	})
}

// A relay that does not answer, or has a fault of its own, is asked again while there is time.
func TestRenewalIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := dialRaw(t, byAlice())
		given := time.Now()
		relay := r.login("Expires: 600")
		r.renews(given, 600)
		silent := time.Now()
		f := r.auth()
		require.Greater(t, time.Since(silent), responseTimeout)
		r.answer(f, "500 Such")
		f = r.auth()
		require.Equal(t, rawUse, string(f.ToPath))
		require.Less(t, time.Since(given), 600*time.Second)
		r.answer(f, "200 OK", "Use-Path: "+rawUse, "Expires: 60")
		given = time.Now()
		r.answer(r.renews(given, 60), "500 Such")
		require.NoError(t, relay.Err())
		require.Equal(t, rawUse, string(f.ToPath))
		last, n := time.Now(), 0
		for { // and then a fault each time, until the end
			f, _, err := readFrame(r.d)
			if err != nil {
				break
			}
			require.GreaterOrEqual(t, time.Since(last), time.Second)
			last = time.Now()
			r.answer(f, "500 Such")
			n++
		}
		require.Equal(t, 60*time.Second, time.Since(given))
		require.Greater(t, n, 5)
		require.ErrorIs(t, relay.Err(), ErrExpired)
	})
}

// Credentials that are refused are shown once more, and then no more, or relays would close the connection; the URI is good for its time.
func TestRenewalIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := dialRaw(t, byAlice())
		given := time.Now()
		relay := r.login("Expires: 600")
		f := r.auth()
		left := 600*time.Second - time.Since(given)
		r.answer(f, "403 Forbidden")
		f = r.auth()
		require.Equal(t, rawUse, string(f.ToPath))
		require.Equal(t, 600*time.Second-left+left/2, time.Since(given))
		r.answer(f, "403 Forbidden")
		<-relay.Done()
		require.Equal(t, 600*time.Second, time.Since(given))
		require.ErrorIs(t, relay.Err(), ErrExpired)
		var refused *StatusError
		require.ErrorAs(t, relay.Err(), &refused)
		require.Equal(t, 403, refused.Code)
	})
}

// A time without end is not renewed.
func TestRelayWithoutExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := dialRaw(t, byAlice())
		relay := r.login()
		r.nc.SetReadDeadline(time.Now().Add(1000 * time.Hour))
		_, _, err := readFrame(r.d)
		require.Error(t, err)
		require.NoError(t, relay.Err())
	})
	synctest.Test(t, func(t *testing.T) { // a relay that does not say it is taken to mean what was asked
		o := byAlice()
		o.Expires = 600 * time.Second
		r := dialRaw(t, o)
		r.login()
		r.renews(time.Now(), 600)
	})
	synctest.Test(t, func(t *testing.T) { // nor one of 68 years
		r := dialRaw(t, byAlice())
		relay := r.login("Expires: 2147483647")
		time.Sleep(24 * time.Hour)
		require.NoError(t, relay.Err())
	})
}

// Close does not wait for an answer, nor does the loss of the connection.
func TestRelayClosesDuringARenewal(t *testing.T) {
	for _, end := range []func(*Relay, *rawRelay){
		func(relay *Relay, _ *rawRelay) { relay.Close() },
		func(relay *Relay, _ *rawRelay) { relay.e.Close() },
		func(_ *Relay, r *rawRelay) { r.nc.Close() },
	} {
		synctest.Test(t, func(t *testing.T) {
			r := dialRaw(t, byAlice())
			relay := r.login("Expires: 600")
			r.auth()
			at := time.Now()
			end(relay, r)
			<-relay.Done()
			require.Equal(t, at, time.Now())
			require.NotErrorIs(t, relay.Err(), ErrExpired)
		})
	}
}

// Each relay of a chain has a time of its own (RFC 4976 section 5.1); the second is asked through the first.
func TestRFC4976_5_1_RenewalOfAChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, f := dialOuter(t)
		r.answer(f, "401 Unauthorized", outerAuth)
		f = r.auth()
		r.answer(f, "200 OK", "Use-Path: "+outerUse, outerInfo(t, f), "Expires: 300")
		relay := (<-r.dialled).Relay
		f = r.renews(time.Now(), 300)
		require.Equal(t, rawUse+" "+outerUse, string(f.ToPath))
		r.answer(f, "481 No Such Session")
		f = r.auth()
		require.Equal(t, rawUse+" "+outerURI, string(f.ToPath))
		r.answer(f, "401 Unauthorized", outerAuth)
		f = r.auth()
		r.answer(f, "200 OK", "Use-Path: "+outerUse, outerInfo(t, f), "Expires: 9000")
		f = r.auth()
		require.Equal(t, rawUse, string(f.ToPath), "the first relay gave 900 seconds")
		r.answer(f, "401 Unauthorized", rawAuth)
		f = r.auth()
		r.answer(f, "200 OK", "Use-Path: "+rawUse, r.info(f, ""), "Expires: 900")
		synctest.Wait()
		require.NoError(t, relay.Err())
	})
}

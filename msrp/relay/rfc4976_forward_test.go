package relay

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
)

// The relay moves its URI from the front of the To-Path to the front of the From-Path, makes a transaction ID of its own and answers at once, to the
// hop before alone.
func TestRFC4976_6_4_1_MovesItsURI(t *testing.T) {
	g := newRig(t, nil)
	alice, bob := g.pair()
	alice.send("first1", "hello")
	f := alice.expect("first1", msrp.StatusOK)
	require.Equal(t, alice.Path.String(), string(f.ToPath))
	require.Equal(t, alice.use.String(), string(f.FromPath))
	f = bob.next()
	require.Equal(t, "SEND", string(f.Method))
	require.NotEqual(t, "first1", string(f.TransactionID))
	require.Equal(t, bob.Path.String(), string(f.ToPath))
	require.Equal(t, join(bob.use, alice.sdp()).String(), string(f.FromPath))
	require.Equal(t, "mfirst1", string(f.MessageID))
	require.Equal(t, msrp.ByteRange{Start: 1, End: 5, Total: 5}, f.ByteRange)
	require.Equal(t, "hello", string(f.Body))
	bob.answer(f, msrp.StatusOK)

	bob.send("second", "hello, Alice")
	bob.expect("second", msrp.StatusOK)
	require.Equal(t, "hello, Alice", string(alice.next().Body))
}

// A response other than 200 comes back to the sender as a REPORT with the code.
func TestRFC4976_6_4_3_ErrorBecomesAReport(t *testing.T) {
	g := newRig(t, nil)
	alice, bob := g.pair()
	alice.send("first1", "hello")
	alice.expect("first1", msrp.StatusOK)
	bob.answer(bob.next(), msrp.StatusStopSending)
	f := alice.next()
	require.Equal(t, "REPORT", string(f.Method))
	require.Equal(t, alice.Path.String(), string(f.ToPath))
	require.Equal(t, alice.use.String(), string(f.FromPath))
	require.Equal(t, "mfirst1", string(f.MessageID))
	require.Equal(t, "000 413 Stop Sending", string(f.StatusHeader))
	require.Equal(t, msrp.ByteRange{Start: 1, End: 5, Total: 5}, f.ByteRange)
}

// A REPORT goes all the way and has no response.
func TestRFC4976_6_4_2_ReportEndToEnd(t *testing.T) {
	g := newRig(t, nil)
	alice, bob := g.pair()
	require.NoError(t, alice.Send(&msrp.Frame{
		TransactionID: []byte("report1"), Method: []byte("REPORT"), MessageID: []byte("m1"), StatusHeader: []byte("000 200 OK"), ByteRange: msrp.ByteRange{Start: 1, End: 5, Total: 5},
	}, nil))
	f := bob.next()
	require.Equal(t, "REPORT", string(f.Method))
	require.Equal(t, "000 200 OK", string(f.StatusHeader))
	require.Equal(t, join(bob.use, alice.sdp()).String(), string(f.FromPath))
	alice.send("first1", "next")
	alice.expect("first1", msrp.StatusOK) // nothing came for the REPORT
}

// A request with a method that the relay does not know, and its response, go all the way.
func TestRFC4976_6_4_2_UnknownMethod(t *testing.T) {
	g := newRig(t, nil)
	alice, bob := g.pair()
	require.NoError(t, alice.Send(&msrp.Frame{TransactionID: []byte("wink01"), Method: []byte("WINK"), Header: []msrp.Header{{Name: []byte("Eye"), Value: []byte("left")}}}, nil))
	f := bob.next()
	require.Equal(t, "WINK", string(f.Method))
	require.Equal(t, "left", string(f.Value("Eye")))
	require.NoError(t, bob.Send(&msrp.Frame{
		TransactionID: f.TransactionID, Status: 299, Comment: []byte("Seen"), ToPath: f.FromPath, FromPath: bob.Path.Append(nil),
		Header: []msrp.Header{{Name: []byte("Smile"), Value: []byte("yes")}},
	}, nil))
	f = alice.expect("wink01", 299)
	require.Equal(t, "Seen", string(f.Comment))
	require.Equal(t, "yes", string(f.Value("Smile")))
	require.Equal(t, alice.Path.String(), string(f.ToPath))
	require.Equal(t, join(alice.use, bob.sdp()).String(), string(f.FromPath))
}

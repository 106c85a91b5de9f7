package msrp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/digest"
)

// The first AUTH has no credentials; the second answers the challenge (RFC 4976 section 5.1), and with them nothing comes that nobody asked for.
func TestRFC4976_5_1_AUTH(t *testing.T) {
	r := dialRaw(t, byAlice())
	f := r.auth()
	own := string(f.FromPath)
	u, err := ParseURI(own)
	require.NoError(t, err)
	require.Equal(t, "client.example.com:2855", u.hostport())
	require.Len(t, u.SessionID, 26)
	require.Equal(t, rawURI, string(f.ToPath))
	require.Empty(t, f.Header)
	first := string(f.TransactionID)
	r.answer(f, "401 Unauthorized", rawAuth)
	f = r.auth()
	require.NotEqual(t, first, string(f.TransactionID))
	require.Equal(t, own, string(f.FromPath))
	require.Len(t, f.Header, 1)
	c := r.credentials(f)
	require.Equal(t, "n1", c.Nonce)
	require.Equal(t, uint32(1), c.NC)
	r.answer(f, "200 OK", "Use-Path: "+rawUse, r.info(f, ""), "Expires: 600")
	require.NoError(t, (<-r.dialled).err)
}

// The strongest algorithm is used, and domain is ignored.
func TestRFC4976_9_1_Challenges(t *testing.T) {
	for _, tt := range []struct {
		headers []string
		want    digest.Algorithm
	}{
		{[]string{rawAuth}, ""},
		{[]string{rawAuth + ", algorithm=MD5, domain=\"msrps://elsewhere.example.com\""}, digest.MD5},
		{[]string{rawAuth + ", algorithm=MD5", strings.Replace(rawAuth, "n1", "n2", 1) + ", algorithm=SHA-256"}, digest.SHA256},
		{[]string{"WWW-Authenticate: Basic realm=\"relay\"", rawAuth + ", algorithm=MD5-sess", rawAuth}, ""},
	} {
		r := dialRaw(t, byAlice())
		r.answer(r.auth(), "401 Unauthorized", tt.headers...)
		f := r.auth()
		require.Equal(t, tt.want, r.credentials(f).Algorithm)
		r.answer(f, "200 OK", "Use-Path: "+rawUse, r.info(f, ""))
		require.NoError(t, (<-r.dialled).err)
	}
}

// AG Projects' relay does not answer who sends uri=, and Kamailio refuses who does not.
func TestDigestURI(t *testing.T) {
	for _, tt := range []struct {
		when   DigestURI
		opaque bool
		want   string
	}{
		{URIUnlessOpaque, false, rawURI}, {URIUnlessOpaque, true, ""},
		{URIAlways, false, rawURI}, {URIAlways, true, rawURI},
		{URINever, false, ""}, {URINever, true, ""},
	} {
		o := byAlice()
		o.DigestURI = tt.when
		r := dialRaw(t, o)
		challenge := rawAuth
		if tt.opaque {
			challenge += `, opaque="o1"`
		}
		r.answer(r.auth(), "401 Unauthorized", challenge)
		f := r.auth()
		require.Equal(t, tt.want, r.credentials(f).URI)
		require.Equal(t, tt.opaque, r.credentials(f).Opaque == "o1")
		r.answer(f, "200 OK", "Use-Path: "+rawUse)
		require.NoError(t, (<-r.dialled).err)
	}
}

// A relay says what times it allows, and is asked once more (RFC 4976 section 6.3).
func TestRFC4976_5_1_Expires(t *testing.T) {
	refused := &StatusError{423, "Out Of Bounds"}
	for name, tt := range map[string]struct {
		ask     time.Duration
		answers [][]string // to each AUTH with credentials: the headers of a 423, or none for a 200
		asked   []string
		err     error
	}{
		"not asked":   {0, [][]string{nil}, []string{""}, nil},
		"asked":       {600 * time.Second, [][]string{nil}, []string{"600"}, nil},
		"too short":   {10 * time.Second, [][]string{{"Min-Expires: 60"}, nil}, []string{"10", "60"}, nil},
		"too long":    {2 * time.Hour, [][]string{{"Max-Expires: 3600"}, nil}, []string{"7200", "3600"}, nil},
		"both":        {2 * time.Hour, [][]string{{"Max-Expires: 3600", "Min-Expires: 60"}, nil}, []string{"7200", "3600"}, nil},
		"has to ask":  {0, [][]string{{"Max-Expires: 3600"}, nil}, []string{"", "3600"}, nil},
		"twice":       {10 * time.Second, [][]string{{"Min-Expires: 60"}, {"Min-Expires: 120"}}, []string{"10", "60"}, refused},
		"no bounds":   {10 * time.Second, [][]string{{"X: y"}}, []string{"10"}, refused},
		"within":      {90 * time.Second, [][]string{{"Min-Expires: 60", "Max-Expires: 120"}}, []string{"90"}, refused},
		"not numbers": {10 * time.Second, [][]string{{"Min-Expires: soon"}}, []string{"10"}, refused},
	} {
		t.Run(name, func(t *testing.T) {
			o := byAlice()
			o.Expires = tt.ask
			r := dialRaw(t, o)
			for i, headers := range tt.answers {
				r.answer(r.auth(), "401 Unauthorized", rawAuth)
				f := r.auth()
				require.Equal(t, tt.asked[i], string(f.Value("Expires")))
				if headers != nil {
					r.answer(f, "423 Out Of Bounds", headers...)
				} else {
					r.answer(f, "200 OK", "Use-Path: "+rawUse, r.info(f, ""), "Expires: 600")
				}
			}
			d := <-r.dialled
			if tt.err == nil {
				require.NoError(t, d.err)
			} else {
				require.Equal(t, tt.err, d.err)
			}
		})
	}
}

// Wrong credentials are sent once, and those of a nonce that was too old again, with the new one.
func TestRFC4976_5_1_WrongPassword(t *testing.T) {
	const stale = rawAuth + ", stale=TRUE"
	for name, tt := range map[string]struct {
		answers []string
		want    int
	}{
		"wrong":               {[]string{rawAuth, rawAuth}, 401},
		"forbidden":           {[]string{rawAuth, "403"}, 403},
		"forbidden at once":   {[]string{"403"}, 403},
		"stale, then wrong":   {[]string{rawAuth, stale, rawAuth}, 401},
		"stale for ever":      {[]string{rawAuth, stale, stale, stale, stale, stale}, 401},
		"fault of the relay":  {[]string{rawAuth, "500"}, 500},
		"unknown method":      {[]string{"501"}, 501},
		"stale, then allowed": {[]string{rawAuth, stale, "200"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := dialRaw(t, byAlice())
			for i, a := range tt.answers {
				f := r.auth()
				require.Equal(t, i > 0, f.Value("Authorization") != nil)
				if len(a) == 3 {
					r.answer(f, a+" Such", "Use-Path: "+rawUse)
				} else {
					r.answer(f, "401 Unauthorized", strings.Replace(a, "n1", fmt.Sprint("n", i), 1))
				}
			}
			d := <-r.dialled
			if tt.want == 0 {
				require.NoError(t, d.err)
				return
			}
			var refused *StatusError
			require.ErrorAs(t, d.err, &refused)
			require.Equal(t, tt.want, refused.Code)
			require.Nil(t, d.Relay)
		})
	}
}

// A relay that changes its realm or asks for a weaker hash gets no second proof of the password.
func TestChallengeChanges(t *testing.T) {
	strong := rawAuth + ", algorithm=SHA-256"
	for name, second := range map[string]string{
		"realm":     `WWW-Authenticate: Digest realm="bank", qop="auth", nonce="n2", algorithm=SHA-256, stale=true`,
		"algorithm": rawAuth + ", algorithm=MD5, stale=true",
	} {
		t.Run(name, func(t *testing.T) {
			r := dialRaw(t, byAlice())
			r.answer(r.auth(), "401 Unauthorized", strong)
			r.answer(r.auth(), "401 Unauthorized", second)
			require.ErrorIs(t, (<-r.dialled).err, ErrMalformed)
			_, _, err := readFrame(r.d)
			require.Error(t, err, "the connection is closed and nothing more comes")
		})
	}
}

// What a relay says that cannot be is a typed error, without its words or ours.
func TestHostileRelay(t *testing.T) {
	hops := func(n int) string {
		path := "Use-Path:"
		for i := range n {
			path += fmt.Sprintf(" msrp://relay.example.com:2855/x%d;tcp", i)
		}
		return path
	}
	const good = "Use-Path: " + rawUse
	for name, tt := range map[string]struct {
		headers []string // of the 200
		want    error
	}{
		"no Use-Path":         {nil, ErrMalformed},
		"two Use-Paths":       {[]string{good, good}, ErrMalformed},
		"empty Use-Path":      {[]string{"Use-Path:"}, ErrMalformed},
		"17 hops":             {[]string{hops(17)}, ErrMalformed},
		"9 hops":              {[]string{hops(9)}, ErrMalformed},
		"long URIs":           {[]string{strings.ReplaceAll(hops(8), "/x", "/"+strings.Repeat("x", 900))}, ErrMalformed},
		"very long URI":       {[]string{"Use-Path: msrp://relay.example.com:2855/" + strings.Repeat("x", 1100) + ";tcp"}, ErrMalformed},
		"no port":             {[]string{"Use-Path: msrp://relay.example.com/x;tcp"}, ErrMalformed},
		"no session-id":       {[]string{"Use-Path: msrp://relay.example.com:2855;tcp"}, ErrMalformed},
		"other transport":     {[]string{"Use-Path: msrp://relay.example.com:2855/x;ws"}, ErrMalformed},
		"other scheme":        {[]string{"Use-Path: http://relay.example.com:2855/x;tcp"}, ErrMalformed},
		"quoted":              {[]string{`Use-Path: "msrp://relay.example.com:2855/x;tcp"`}, ErrMalformed},
		"Expires 0":           {[]string{good, "Expires: 0"}, ErrMalformed},
		"Expires 10^17":       {[]string{good, "Expires: 100000000000000000"}, ErrMalformed},
		"Expires 10^30":       {[]string{good, "Expires: 1" + strings.Repeat("0", 30)}, ErrMalformed},
		"Expires twice":       {[]string{good, "Expires: 60", "Expires: 61"}, ErrMalformed},
		"Expires of words":    {[]string{good, "Expires: soon"}, ErrMalformed},
		"wrong rspauth":       {[]string{good, `Authentication-Info: rspauth="00000000000000000000000000000000", cnonce="x", nc=00000001, qop=auth`}, ErrRspauth},
		"no rspauth":          {[]string{good, `Authentication-Info: nextnonce="n2"`}, ErrRspauth},
		"no parameters":       {[]string{good, `Authentication-Info: x`}, ErrMalformed},
		"Authentication-Info": {[]string{good, `Authentication-Info: x=1`, `Authentication-Info: x=1`}, ErrRspauth},
	} {
		t.Run(name, func(t *testing.T) {
			r := dialRaw(t, byAlice())
			r.answer(r.auth(), "401 Unauthorized", rawAuth)
			r.answer(r.auth(), "200 OK", tt.headers...)
			d := <-r.dialled
			require.ErrorIs(t, d.err, tt.want)
			for _, secret := range []string{"secret", "n1", "use1", "/x", "relay.example.com"} {
				require.NotContains(t, d.err.Error(), secret)
			}
		})
	}
	for name, challenge := range map[string]string{
		"no challenge":      "X: y",
		"Basic":             `WWW-Authenticate: Basic realm="relay"`,
		"no realm":          `WWW-Authenticate: Digest qop="auth", nonce="n1"`,
		"no nonce":          `WWW-Authenticate: Digest realm="relay", qop="auth"`,
		"auth-int alone":    `WWW-Authenticate: Digest realm="relay", qop="auth-int", nonce="n1"`,
		"no qop":            `WWW-Authenticate: Digest realm="relay", nonce="n1"`,
		"MD5-sess alone":    rawAuth + `, algorithm=MD5-sess`,
		"unknown algorithm": rawAuth + `, algorithm=ROT13`,
	} {
		t.Run(name, func(t *testing.T) {
			r := dialRaw(t, byAlice())
			r.answer(r.auth(), "401 Unauthorized", challenge)
			require.ErrorIs(t, (<-r.dialled).err, ErrMalformed)
		})
	}
}

// Line ends in Use-Path end the connection, as anywhere: the decoder takes none.
func TestUsePathWithALineEnd(t *testing.T) {
	r := dialRaw(t, byAlice())
	r.answer(r.auth(), "401 Unauthorized", rawAuth)
	go fmt.Fprintf(r.nc, "MSRP %s 200 OK\r\nTo-Path: a\r\nFrom-Path: b\r\nUse-Path: msrp://a:1/\nx;tcp\r\n", r.auth().TransactionID)
	require.ErrorIs(t, (<-r.dialled).err, ErrMalformed)
}

// Only the response that belongs to an AUTH counts: by its transaction ID, and by both of its paths.
func TestAUTHResponsesMustMatch(t *testing.T) {
	for name, write := range map[string]func(r *rawRelay, f *Frame){
		"silence": func(*rawRelay, *Frame) {},
		"other transaction": func(r *rawRelay, f *Frame) {
			f.TransactionID = []byte("0123456789abcdef")
			r.answer(f, "200 OK", "Use-Path: "+rawUse)
		},
		"other To-Path": func(r *rawRelay, f *Frame) {
			f.FromPath = []byte("msrp://client.example.com:2855/other;tcp")
			r.answer(f, "200 OK", "Use-Path: "+rawUse)
		},
		"longer To-Path": func(r *rawRelay, f *Frame) {
			f.FromPath = append(f.FromPath, " "+rawUse...)
			r.answer(f, "200 OK", "Use-Path: "+rawUse)
		},
		"other From-Path": func(r *rawRelay, f *Frame) {
			r.answerFrom(f, "msrp://peer.example.com:2855;tcp", "200 OK", "Use-Path: "+rawUse)
		},
		"longer From-Path": func(r *rawRelay, f *Frame) {
			r.answerFrom(f, rawURI+" "+rawUse, "200 OK", "Use-Path: "+rawUse)
		},
		"From-Path that is none": func(r *rawRelay, f *Frame) { r.answerFrom(f, "x", "200 OK", "Use-Path: "+rawUse) },
		"request": func(r *rawRelay, f *Frame) {
			write(r, r.nc, "MSRP abcd1234 NICKNAME\r\nTo-Path: "+string(f.FromPath)+"\r\nFrom-Path: "+rawURI+"\r\n-------abcd1234$\r\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := dialRaw(t, byAlice())
				f := r.auth()
				sent := time.Now()
				go func() { // what it is refused with
					for {
						if _, _, err := readFrame(NewDecoder(r.nc, nil)); err != nil {
							return
						}
					}
				}()
				write(r, f)
				require.Equal(t, ErrTimeout, (<-r.dialled).err)
				require.Equal(t, responseTimeout, time.Since(sent))
			})
		})
	}
}

// The second response to an AUTH, or a late one, is nobody's, and hurts nobody.
func TestAUTHIsAnsweredTwice(t *testing.T) {
	r := dialRaw(t, byAlice())
	f := r.auth()
	again := *f
	again.TransactionID, again.ToPath, again.FromPath = []byte(string(f.TransactionID)), []byte(string(f.ToPath)), []byte(string(f.FromPath))
	r.answer(f, "401 Unauthorized", rawAuth)
	r.answer(&again, "403 Forbidden")
	f = r.auth()
	r.answer(&again, "403 Forbidden")
	r.answer(f, "200 OK", "Use-Path: "+rawUse, r.info(f, ""))
	require.NoError(t, (<-r.dialled).err)
}

// A relay without authentication, or one like Kamailio that does not prove itself, will do as the first hop: its certificate says who it is.
func TestRelayThatProvesNothing(t *testing.T) {
	r := dialRaw(t, byAlice())
	r.answer(r.auth(), "200 OK", "Use-Path: "+rawUse)
	require.NoError(t, (<-r.dialled).err)

	r = dialRaw(t, byAlice())
	f := r.auth()
	r.answer(f, "200 OK", "Use-Path: "+rawUse, `Authentication-Info: rspauth="00000000000000000000000000000000"`)
	require.ErrorIs(t, (<-r.dialled).err, ErrRspauth, "of what, without credentials?")
}

// The relay hangs up instead of answering.
func TestRelayHangsUp(t *testing.T) {
	r := dialRaw(t, byAlice())
	r.auth()
	require.NoError(t, r.nc.Close())
	err := (<-r.dialled).err
	require.Error(t, err)
	require.False(t, errors.Is(err, ErrClosed))
}

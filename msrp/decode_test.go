package msrp

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// readFrame decodes one frame and copies it, so that it can be kept.
func readFrame(d *Decoder) (*Frame, []byte, error) {
	f, err := d.Next()
	if err != nil {
		return nil, nil, err
	}
	var body []byte
	for {
		piece, err := d.Body()
		body = append(body, piece...)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, nil, err
		}
	}
	clone := *f
	for _, v := range []*[]byte{&clone.TransactionID, &clone.Method, &clone.Comment, &clone.ToPath, &clone.FromPath, &clone.MessageID,
		&clone.SuccessReport, &clone.FailureReport, &clone.StatusHeader, &clone.ContentType} {
		*v = b(string(*v))
	}
	clone.Header = nil
	for _, h := range f.Header {
		clone.Header = append(clone.Header, Header{b(string(h.Name)), b(string(h.Value))})
	}
	return &clone, body, nil
}

// splitReader gives at most as many bytes at a time as its function says.
type splitReader struct {
	r    io.Reader
	next func() int
}

func (s *splitReader) Read(p []byte) (int, error) {
	return s.r.Read(p[:min(len(p), max(1, s.next()))])
}

// splits calls f with wire cut in two at every byte (of a large one, the first and last few hundred), in single bytes, at random and not at all.
func splits(wire string, f func(how string, r io.Reader)) {
	for i := 1; i < len(wire); i++ {
		if len(wire) < 4000 || i < 300 || i > len(wire)-300 {
			f(fmt.Sprintf("at %d", i), io.MultiReader(strings.NewReader(wire[:i]), strings.NewReader(wire[i:])))
		}
	}
	rng := rand.New(rand.NewPCG(1, uint64(len(wire))))
	f("whole", strings.NewReader(wire))
	f("one byte", iotest.OneByteReader(strings.NewReader(wire)))
	f("random", &splitReader{strings.NewReader(wire), func() int { return rng.IntN(40) }})
	f("EOF with the last byte", iotest.DataErrReader(strings.NewReader(wire)))
}

// decodes checks that each frame is read right and that the next one behind it is, too, wherever the stream is split; and, without its
// last byte, is not taken for a frame.
func decodes(t *testing.T, cases []wireCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			splits(c.wire+rfc4975Section4[0].wire, func(how string, r io.Reader) {
				d := NewDecoder(r, nil)
				f, body, err := readFrame(d)
				require.NoError(t, err, how)
				require.Equal(t, c.want, f, how)
				require.Equal(t, c.body, string(body), how)
				f, body, err = readFrame(d)
				require.NoError(t, err, how)
				require.Equal(t, rfc4975Section4[0].want, f, how)
				require.Equal(t, rfc4975Section4[0].body, string(body), how)
				_, err = d.Next()
				require.Equal(t, io.EOF, err, how)
			})
		})
	}
}

func TestRFC4975_4_Examples(t *testing.T)       { decodes(t, rfc4975Section4) }
func TestRFC4975_5_1_Chunks(t *testing.T)       { decodes(t, rfc4975Section5_1) }
func TestRFC4975_7_1_Requests(t *testing.T)     { decodes(t, rfc4975Section7_1) }
func TestRFC4975_7_1_1_Headers(t *testing.T)    { decodes(t, rfc4975Section7_1_1) }
func TestRFC4975_7_1_2_Reports(t *testing.T)    { decodes(t, rfc4975Section7_1_2) }
func TestRFC4975_7_2_Responses(t *testing.T)    { decodes(t, rfc4975Section7_2) }
func TestRFC4975_9_Extensions(t *testing.T)     { decodes(t, rfc4975Section9) }
func TestRFC4975_11_Examples(t *testing.T)      { decodes(t, rfc4975Section11) }
func TestRFC4976_4_AuthFrames(t *testing.T)     { decodes(t, rfc4976Auth) }
func TestRFC7701_7_NicknameFrames(t *testing.T) { decodes(t, rfc7701Nickname) }

// refuses checks that what is no frame gives one and the same error, wherever the stream is split.
func refuses(t *testing.T, cases []wireCase, want error) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, whole := readFrame(NewDecoder(strings.NewReader(c.wire), nil))
			require.ErrorIs(t, whole, want)
			splits(c.wire, func(how string, r io.Reader) {
				d := NewDecoder(r, nil)
				_, _, err := readFrame(d)
				require.EqualError(t, err, whole.Error(), how)
				d.Next() // whoever goes on after an error gets nonsense, but no panic
				d.Body()
			})
		})
	}
}

func TestRFC4975_9_MalformedStartLines(t *testing.T) { refuses(t, badStartLines, ErrMalformed) }
func TestRFC4975_9_MalformedHeaders(t *testing.T)    { refuses(t, badHeaders, ErrMalformed) }
func TestRFC4975_7_1_MalformedEndLines(t *testing.T) { refuses(t, badEndLines, ErrMalformed) }
func TestHeadLimits(t *testing.T)                    { refuses(t, badSizes, ErrTooLarge) }

// What is nearly an end-line belongs to the body, in any place of it and however the stream is split.
func TestRFC4975_7_1_ContentStuff(t *testing.T) {
	const end = "\r\n-------d93kswow$\r\n"
	var bodies []string
	for i := 1; i < len(end); i++ {
		part := end[:i]
		bodies = append(bodies, part, part+"x", "x"+part, part+part, part+"\r", part[2*min(1, i/3):], part[:i-1]+"\x00", part[:i-1]+"!"+end[i:]+"x")
	}
	for _, body := range bodies {
		if strings.Contains("\r\n"+body+"\r\n", end) {
			continue // that is the end-line
		}
		c := good("", "SEND", "Content-Type: text/plain\r\n", body, More)
		splits(c.wire, func(how string, r io.Reader) {
			f, got, err := readFrame(NewDecoder(r, nil))
			require.NoError(t, err, "%q %s", body, how)
			require.Equal(t, c.want, f, "%q %s", body, how)
			require.Equal(t, body, string(got), how)
		})
	}
}

// A stream that ends within a frame is not taken for one that ends between two.
func TestDecodeEnds(t *testing.T) {
	for _, c := range goodCases {
		if len(c.wire) > 2000 {
			continue
		}
		for n := 1; n < len(c.wire); n++ {
			_, _, err := readFrame(NewDecoder(strings.NewReader(c.wire[:n]), nil))
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%s after %d bytes", c.name, n)
		}
	}
	_, err := NewDecoder(strings.NewReader(""), nil).Next()
	require.Equal(t, io.EOF, err)
}

func TestRFC4975_7_1_1_ByteRange(t *testing.T) {
	second := rfc4975Section4[0]
	for _, r := range []string{"", " \t", "1", "-", "/", "-/", "1-", "1-1", "1/1", "1/1-1", "0-1/1", "1-x/1", "x-1/1", "1-1/x", "1-1/", "1-/1", "-1/1", "-1-2/3", "1--2/3", "1-2/-3",
		"1-99999999999999999999/1", "1000000000000000000-*/*", "*-1/1", "**-1/1", "1-**/1", "1-1/1x", "1 -1/1", "1- 1/1", "+1-1/1", "1-1/1/1", "1-1/0x1", "1-1/１"} {
		wire := strings.Replace(second.wire, "1-25/25", r, 1)
		splits(wire+second.wire, func(how string, in io.Reader) {
			d := NewDecoder(in, nil)
			f, err := d.Next()
			require.NoError(t, err, "%q %s", r, how)
			require.ErrorIs(t, f.Invalid, ErrMalformed, "%q", r)
			require.Zero(t, f.ByteRange)
			f, err = d.Next() // without having read the body
			require.NoError(t, err)
			require.NoError(t, f.Invalid)
			require.Equal(t, ByteRange{1, 25, 25}, f.ByteRange)
		})
	}
	twice := strings.Replace(second.wire, "1-25/25", "1-25/25\r\nbyte-range: 1-25/25", 1)
	f, err := NewDecoder(strings.NewReader(twice), nil).Next()
	require.NoError(t, err)
	require.ErrorIs(t, f.Invalid, ErrMalformed)
}

func TestRFC4975_7_1_2_Status(t *testing.T) {
	for in, want := range map[string]struct {
		code    int
		comment string
	}{
		"000 200 OK": {200, "OK"}, "000 408": {408, ""}, "000  200 OK": {200, "OK"}, "000 481 No such  session": {481, "No such  session"}, "000 413 ": {413, ""},
	} {
		code, comment, err := ParseStatus([]byte(in))
		require.NoError(t, err, in)
		require.Equal(t, want.code, code, in)
		require.Equal(t, want.comment, string(comment), in)
	}
	for _, in := range []string{"", " ", "000", "000 ", "200 OK", "001 200 OK", "0000 200 OK", "00 200 OK", "000 20 OK", "000 2000", "000 099", "000 2x0 OK", "000 -20", "000\t200", " 000 200"} {
		_, _, err := ParseStatus([]byte(in))
		require.ErrorIs(t, err, ErrMalformed, "%q", in)
	}
}

func TestLimits(t *testing.T) {
	head := "MSRP d93kswow SEND\r\n" + paths + "X: y\r\n-------d93kswow$\r\n"
	for _, c := range []struct {
		limits Limits
		ok     bool
	}{
		{Limits{}, true}, {Limits{HeadBytes: -1, Headers: -1}, true},
		{Limits{HeadBytes: len(head)}, true}, {Limits{HeadBytes: len(head) - 1}, false}, {Limits{HeadBytes: 1}, false},
		{Limits{Headers: 3}, true}, {Limits{Headers: 2}, false},
	} {
		splits(head+head, func(how string, r io.Reader) {
			d := NewDecoder(r, &c.limits)
			for range 2 {
				_, err := d.Next()
				if !c.ok {
					require.ErrorIs(t, err, ErrTooLarge, "%+v %s", c.limits, how)
					return
				}
				require.NoError(t, err, "%+v %s", c.limits, how)
			}
		})
	}
}

// Framing that slips must not carry a user's text or a session's URI into errors and logs.
func TestErrorsHoldNothingOfThePeers(t *testing.T) {
	const secret = "topsecret"
	for _, wire := range []string{
		secret + "\r\n", "MSRP " + secret + "\r\n", "MSRP " + secret + "/ SEND\r\n", "MSRP abcd1 " + secret + "\r\n" + paths + "-------abcd1$\r\n",
		"MSRP abcd1 SEND\r\n" + secret + "\r\n\r\n", "MSRP abcd1 SEND\r\nX " + secret + ": y\r\n\r\n", "MSRP abcd1 SEND\r\n" + paths + "X: " + secret + "\x00\r\n\r\n",
		"MSRP abcd1 SEND\r\n" + paths + "X:" + strings.Repeat(secret, 5000), "MSRP abcd1 SEND\r\n" + paths + "To-Path: " + secret + "\r\n",
		"MSRP abcd1 SEND\r\n" + paths + strings.Repeat(secret+": "+secret+"\r\n", 64),
	} {
		_, _, err := readFrame(NewDecoder(strings.NewReader(wire), nil))
		require.True(t, isParseError(err), "%v", err)
		require.NotContains(t, err.Error(), secret)
	}
	for _, uri := range []string{secret, "sip://a/" + secret, "msrp://a/" + secret, "msrp://a/" + secret + ";", "msrp://a:x/" + secret + ";tcp", "msrp://a\"/" + secret + ";tcp", "msrp://[::1%" + secret + "]/x;tcp"} {
		_, err := ParseURI(uri)
		require.ErrorIs(t, err, ErrMalformed, uri)
		require.NotContains(t, err.Error(), secret)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"Not found": "Not found", "größe": "größe", "a\r\nb\x00": "a??b?", "\xff": "?", "\u009b31m": "?31m", "\u202eab\u2028": "?ab?", strings.Repeat("ä", 200): strings.Repeat("ä", 100),
	} {
		require.Equal(t, want, printable([]byte(in)))
	}
}

// control is checked against the plain loop, at every place of a word and behind tabs.
func TestControl(t *testing.T) {
	for c := range 256 {
		for at := range 24 {
			for _, fill := range []string{"x", "\t", "\x80", "\xff", " ", "~"} {
				text := []byte(strings.Repeat(fill, 24))
				text[at] = byte(c)
				want := len(text)
				if byte(c) < ' ' && c != '\t' || c == 0x7f {
					want = at
				}
				for from := range at + 1 {
					require.Equal(t, want, control(text, from), "%q from %d", text, from)
				}
			}
		}
	}
}

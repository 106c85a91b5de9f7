package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A zone is a Resolver without a network. Its keys are "NAPTR example.com", "SRV _sip._tcp.example.com" and "A host.example.com";
// its values hold a record each, as in a zone file, "!" for a failure, or "?" for silence.
type zone struct {
	records map[string][]string

	mu    sync.Mutex
	asked []string
}

func newZone(records map[string][]string) *zone { return &zone{records: records} }

var errServFail = &net.DNSError{Err: "server misbehaving", IsTemporary: true}

// lookup calls add for each record of a question.
func (z *zone) lookup(ctx context.Context, question string, add func(record string)) error {
	question = strings.TrimSuffix(question, ".")
	z.mu.Lock()
	z.asked = append(z.asked, question)
	z.mu.Unlock()
	records, ok := z.records[question]
	if !ok {
		return &net.DNSError{Err: "no such host", Name: question, IsNotFound: true}
	}
	for _, r := range records {
		switch r {
		case "!":
			return errServFail
		case "?":
			<-ctx.Done()
			return ctx.Err()
		}
		add(r)
	}
	return nil
}

func (z *zone) LookupNAPTR(ctx context.Context, name string) (records []*NAPTR, err error) {
	err = z.lookup(ctx, "NAPTR "+name, func(s string) {
		r := new(NAPTR)
		if _, err := fmt.Sscanf(s, "%d %d %q %q %q %s", &r.Order, &r.Preference, &r.Flags, &r.Service, &r.Regexp, &r.Replacement); err != nil {
			panic(err)
		}
		records = append(records, r)
	})
	return records, err
}

func (z *zone) LookupSRV(ctx context.Context, service, proto, name string) (_ string, records []*net.SRV, err error) {
	if service != "" {
		name = "_" + service + "._" + proto + "." + name
	}
	err = z.lookup(ctx, "SRV "+name, func(s string) {
		r := new(net.SRV)
		if _, err := fmt.Sscanf(s, "%d %d %d %s", &r.Priority, &r.Weight, &r.Port, &r.Target); err != nil {
			panic(err)
		}
		records = append(records, r)
	})
	return name, records, err
}

func (z *zone) LookupNetIP(ctx context.Context, _, host string) (ips []netip.Addr, err error) {
	err = z.lookup(ctx, "A "+host, func(s string) { ips = append(ips, netip.MustParseAddr(s)) })
	return ips, err
}

// questions returns what was asked, sorted: some questions are asked at the same time.
func (z *zone) questions() []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	asked := slices.Clone(z.asked)
	slices.Sort(asked)
	return asked
}

// newLocator is an agent that can do everything, or everything but UDP.
func newLocator(t testing.TB, z *zone, udp bool) *Agent {
	a, err := New(&Options{Address: "sip:alice@example.com", Resolver: z})
	require.NoError(t, err)
	for _, w := range ways {
		if w.network != "udp" || udp {
			a.listening[w.network] = netip.MustParseAddrPort("192.0.2.99:5060")
		}
	}
	return a
}

func uriOf(t *testing.T, s string) gosip.Uri {
	var u gosip.Uri
	require.NoError(t, gosip.ParseUri(s, &u))
	return u
}

func (h hop) text() string {
	s := h.network + " " + h.addr.String()
	if h.name != "" {
		s += " " + h.name
	}
	return s
}

// locateAll returns the hops as "network address name", or the error's text.
func locateAll(t *testing.T, a *Agent, uri, prefer string) []string {
	hops, err := a.locate(testContext(t), uriOf(t, uri), prefer)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, h := range hops {
		out = append(out, h.text())
	}
	return out
}

// What the URI says itself: transport, port, address. Nothing is asked that need not be.
func TestRFC3263_4_1_TransportOfTheURI(t *testing.T) {
	hosts := map[string][]string{
		"A example.com":                  {"192.0.2.1", "2001:db8::1"},
		"A other.example.com":            {"192.0.2.2"},
		"SRV _sip._tcp.example.com":      {"0 0 5070 other.example.com."},
		"SRV _sips._tcp.example.com":     {"0 0 5071 other.example.com."},
		"NAPTR example.com":              {`10 10 "s" "SIP+D2T" "" _sip._tcp.example.com`},
		"SRV _sip._udp.example.com":      {"0 0 5072 other.example.com."},
		"SRV _sip._ws.other.example.com": {"0 0 8080 other.example.com."},
	}
	for _, tt := range []struct {
		uri, prefer string
		noUDP       bool
		hops, asked []string
	}{
		{uri: "sip:bob@192.0.2.7", hops: []string{"udp 192.0.2.7:5060"}},
		{uri: "sip:bob@192.0.2.7", noUDP: true, hops: []string{"tcp 192.0.2.7:5060"}},
		{uri: "sip:bob@192.0.2.7", prefer: "tcp", hops: []string{"tcp 192.0.2.7:5060"}},
		{uri: "sip:bob@192.0.2.7", prefer: "tls", hops: []string{"tls 192.0.2.7:5061 192.0.2.7"}},
		{uri: "sip:bob@192.0.2.7:5080;transport=TCP", prefer: "udp", hops: []string{"tcp 192.0.2.7:5080"}},
		{uri: "sip:bob@[2001:db8::7]:5080", hops: []string{"udp [2001:db8::7]:5080"}},
		{uri: "sip:[::ffff:192.0.2.7]", hops: []string{"udp 192.0.2.7:5060"}},
		{uri: "sips:bob@192.0.2.7", hops: []string{"tls 192.0.2.7:5061 192.0.2.7"}},
		{uri: "sips:bob@192.0.2.7", prefer: "udp", hops: []string{"tls 192.0.2.7:5061 192.0.2.7"}},
		{uri: "sips:bob@192.0.2.7;transport=tcp", hops: []string{"tls 192.0.2.7:5061 192.0.2.7"}},
		{uri: "sips:bob@192.0.2.7;transport=ws", hops: []string{"wss 192.0.2.7:443 192.0.2.7"}},
		{uri: "sip:bob@192.0.2.7;transport=ws", hops: []string{"ws 192.0.2.7:80 192.0.2.7"}},
		{uri: "sip:bob@example.com:5080", hops: []string{"udp 192.0.2.1:5080", "udp [2001:db8::1]:5080"}, asked: []string{"A example.com"}},
		{uri: "sips:bob@EXAMPLE.com:5080", hops: []string{"tls 192.0.2.1:5080 example.com", "tls [2001:db8::1]:5080 example.com"}, asked: []string{"A example.com"}},
		{uri: "sip:example.com;transport=tcp", hops: []string{"tcp 192.0.2.2:5070"}, asked: []string{"A other.example.com", "SRV _sip._tcp.example.com"}},
		{uri: "sip:example.com;transport=tls", hops: []string{"tls 192.0.2.2:5071 example.com"}, asked: []string{"A other.example.com", "SRV _sips._tcp.example.com"}},
		{uri: "sips:example.com;transport=tcp", hops: []string{"tls 192.0.2.2:5071 example.com"}, asked: []string{"A other.example.com", "SRV _sips._tcp.example.com"}},
		{uri: "sips:example.com;transport=ws", hops: []string{"wss 192.0.2.1:443 example.com", "wss [2001:db8::1]:443 example.com"}, asked: []string{"A example.com", "SRV _sips._ws.example.com"}},
		{uri: "sip:other.example.com;transport=ws", hops: []string{"ws 192.0.2.2:8080 other.example.com"}, asked: []string{"A other.example.com", "SRV _sip._ws.other.example.com"}},
		{uri: "sip:example.com", prefer: "udp", hops: []string{"udp 192.0.2.2:5072"}, asked: []string{"A other.example.com", "SRV _sip._udp.example.com"}},
		// maddr stands for the host (RFC 3263 §4), but what a certificate must name stays.
		{uri: "sips:bob@example.com;maddr=other.example.com:5080", hops: []string{"sip: locate: " + errURI.Error()}},
		{uri: "sips:bob@example.com:5080;maddr=192.0.2.9", hops: []string{"tls 192.0.2.9:5080 example.com"}},

		{uri: "sip:bob@example.com;transport=sctp", hops: []string{`sip: locate: transport "sctp" is not supported`}},
		{uri: "sips:bob@192.0.2.7;transport=udp", hops: []string{`sip: locate: transport "udp" is not supported`}},
		{uri: "sip:bob@192.0.2.7;transport=udp", noUDP: true, hops: []string{"sip: locate: " + ErrNotListening.Error() + ": udp"}},
		{uri: "tel:+4312345", hops: []string{"sip: locate: " + errURIScheme.Error()}},
		{uri: "sip:bob@ex%ample.com", hops: []string{"sip: locate: " + errURI.Error()}},
		{uri: "sip:bob@0.0.0.0", hops: []string{"sip: no server found for 0.0.0.0: " + errNoAddress.Error()}},
		{uri: "sip:bob@224.0.1.75", hops: []string{"sip: no server found for 224.0.1.75: " + errNoAddress.Error()}},
	} {
		t.Run(tt.uri+" "+tt.prefer, func(t *testing.T) {
			z := newZone(hosts)
			assert.Equal(t, tt.hops, locateAll(t, newLocator(t, z, !tt.noUDP), tt.uri, tt.prefer))
			assert.Equal(t, tt.asked, z.questions())
		})
	}
}

// The services of RFC 3263 §4.1 and RFC 7118 §5.5, and records that lead nowhere.
func TestRFC3263_4_1_NAPTR(t *testing.T) {
	const (
		toTLS = `10 10 "s" "SIPS+D2T" "" tls.example.com.`
		toTCP = `20 20 "S" "sip+d2t" "" tcp.example.com.`
		toUDP = `20 10 "s" "SIP+D2U" "" udp.example.com.`
	)
	base := map[string][]string{
		"SRV tls.example.com":        {"0 0 5061 one.example.com."},
		"SRV tcp.example.com":        {"0 0 5060 two.example.com."},
		"SRV udp.example.com":        {"0 0 5060 three.example.com."},
		"SRV wss.example.com":        {"0 0 443 one.example.com."},
		"SRV _sip._tcp.example.com":  {"0 0 5062 two.example.com."},
		"SRV _sips._tcp.example.com": {"0 0 5063 two.example.com."},
		"A one.example.com":          {"192.0.2.1"},
		"A two.example.com":          {"192.0.2.2"},
		"A three.example.com":        {"192.0.2.3"},
	}
	const (
		tls     = "tls 192.0.2.1:5061 example.com"
		tcp     = "tcp 192.0.2.2:5060"
		udp     = "udp 192.0.2.3:5060"
		ownTLS  = "tls 192.0.2.2:5063 example.com"
		wss     = "wss 192.0.2.1:443 example.com"
		longTag = `1 1 "s" "SIP+D2T" "" `
	)
	for _, tt := range []struct {
		name, scheme string
		noUDP        bool
		naptr        []string
		hops         []string
	}{
		{"lowest order alone", "sip", false, []string{toUDP, toTLS, toTCP}, []string{tls}},
		{"preference within an order", "sip", false, []string{toTCP, toUDP}, []string{udp, tcp}},
		{"a transport that we lack", "sip", true, []string{toTCP, toUDP}, []string{tcp}},
		{"sips", "sips", false, []string{`1 1 "s" "SIP+D2T" "" tcp.example.com.`, toUDP, toTLS}, []string{tls}},
		{"sips without a service", "sips", false, []string{toTCP, toUDP}, []string{ownTLS}},
		{"sips over UDP", "sips", false, []string{`1 1 "s" "SIPS+D2U" "" udp.example.com.`}, []string{ownTLS}},
		{"WebSocket", "sips", false, []string{`1 1 "s" "SIPS+D2W" "" wss.example.com.`, toTLS}, []string{wss}},
		{"other services", "sip", false, []string{`1 1 "u" "E2U+sip" "!^.*$!sip:x@evil.example!" .`, `1 1 "s" "SIP+D2S" "" x.example.com.`, toTLS}, []string{tls}},
		{"other flags", "sip", false, []string{`1 1 "" "SIP+D2U" "" udp.example.com.`, `1 1 "a" "SIP+D2U" "" three.example.com.`, toTCP}, []string{tcp}},
		{"a regular expression", "sip", false, []string{`1 1 "s" "SIP+D2U" "!.*!evil.example!" udp.example.com.`, toTCP}, []string{tcp}},
		{"no SRV behind it", "sip", false, []string{`1 1 "s" "SIP+D2T" "" gone.example.com.`, toTCP}, []string{tcp}},
		{"none leads anywhere", "sip", false, []string{`1 1 "s" "SIP+D2T" "" gone.example.com.`}, []string{ownTLS}},
		{"a name that is none", "sip", false, []string{longTag + `a..b`, longTag + `a/b`, longTag + strings.Repeat("a", 64) + ".com", longTag + ".", toTCP}, []string{tcp}},
		{"failure", "sip", false, []string{"!"}, []string{ownTLS}},
		{"TLS is not preferred", "sip", false, []string{toUDP, `20 15 "s" "SIPS+D2T" "" tls.example.com.`, toTCP}, []string{udp, tls}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z := newZone(map[string][]string{"NAPTR example.com": tt.naptr})
			for k, v := range base {
				z.records[k] = v
			}
			assert.Equal(t, tt.hops, locateAll(t, newLocator(t, z, !tt.noUDP), tt.scheme+":bob@example.com", ""))
		})
	}
}

// Without NAPTR records each transport's SRV records are asked for.
func TestRFC3263_4_1_SRVWithoutNAPTR(t *testing.T) {
	z := newZone(map[string][]string{
		"SRV _sips._tcp.example.com": {"!"},
		"SRV _sip._tcp.example.com":  {"20 0 5060 one.example.com.", "10 0 5070 two.example.com."},
		"SRV _sip._udp.example.com":  {"0 0 5060 gone.example.com.", "1 0 5060 one.example.com.", "2 0 0 one.example.com."},
		"A one.example.com":          {"192.0.2.1", "192.0.2.11"},
		"A two.example.com":          {"192.0.2.2"},
		"A example.com":              {"192.0.2.3"},
	})
	assert.Equal(t, []string{
		"tcp 192.0.2.2:5070", "tcp 192.0.2.1:5060", "tcp 192.0.2.11:5060", "udp 192.0.2.1:5060", "udp 192.0.2.11:5060",
	}, locateAll(t, newLocator(t, z, true), "sip:bob@example.com", ""))
	assert.NotContains(t, z.questions(), "A example.com")
	assert.Equal(t, []string{"tls 192.0.2.3:5061 example.com"}, locateAll(t, newLocator(t, z, true), "sips:bob@example.com", ""),
		"sips never finds the records of _sip")
	z.records["SRV _sips._tcp.example.com"] = []string{"0 0 5061 one.example.com."}
	assert.Equal(t, []string{"tls 192.0.2.1:5061 example.com", "tls 192.0.2.11:5061 example.com"},
		locateAll(t, newLocator(t, z, true), "sip:bob@example.com", ""), "nothing in plain where there is TLS")
	z.records["SRV _sips._tcp.example.com"] = []string{"0 0 5061 gone.example.com."}
	assert.Len(t, locateAll(t, newLocator(t, z, true), "sip:bob@example.com", ""), 5, "TLS that nobody can find does not count")
}

// Without SRV records the domain's own addresses count, with the default port.
func TestRFC3263_4_2_AddressesWithoutSRV(t *testing.T) {
	z := newZone(map[string][]string{"A example.com": {"192.0.2.1"}})
	for _, tt := range []struct {
		uri   string
		noUDP bool
		hop   string
	}{
		{"sip:example.com", false, "udp 192.0.2.1:5060"},
		{"sip:example.com", true, "tcp 192.0.2.1:5060"},
		{"sip:example.com;transport=tcp", false, "tcp 192.0.2.1:5060"},
		{"sip:example.com;transport=tls", false, "tls 192.0.2.1:5061 example.com"},
		{"sips:example.com", false, "tls 192.0.2.1:5061 example.com"},
	} {
		assert.Equal(t, []string{tt.hop}, locateAll(t, newLocator(t, z, !tt.noUDP), tt.uri, ""), tt.uri)
	}
}

func TestRFC3263_4_2_NothingFound(t *testing.T) {
	for _, tt := range []struct {
		name    string
		records map[string][]string
		detail  string
	}{
		{"no such domain", nil, "no such host"},
		{"a failure says more than a missing name", map[string][]string{"SRV _sip._udp.example.com": {"!"}}, "server misbehaving"},
		{"RFC 2782: a service that is not offered", map[string][]string{"SRV _sip._udp.example.com": {"0 0 0 ."}, "A example.com": {"192.0.2.1"}}, errNoService.Error()},
		{"no usable address", map[string][]string{"A example.com": {"0.0.0.0", "::", "ff02::1", "fe80::1%eth0"}}, errNoAddress.Error()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hops, err := newLocator(t, newZone(tt.records), true).locate(testContext(t), uriOf(t, "sip:example.com"), "")
			assert.Empty(t, hops)
			require.ErrorIs(t, err, ErrNoServer)
			assert.ErrorContains(t, err, "example.com: ")
			assert.ErrorContains(t, err, tt.detail)
		})
	}
	ctx, cancel := context.WithCancelCause(testContext(t))
	cancel(errors.New("gave up"))
	_, err := newLocator(t, newZone(nil), true).locate(ctx, uriOf(t, "sip:example.com"), "")
	assert.ErrorIs(t, err, context.Canceled)
}

// Whatever DNS answers, the search ends, and with 16 hops at most.
func TestRFC3263_4_Bounds(t *testing.T) {
	many := func(n int, format string) (lines []string) {
		for i := range n {
			lines = append(lines, fmt.Sprintf(format, i))
		}
		return lines
	}
	t.Run("hops and questions", func(t *testing.T) {
		z := newZone(map[string][]string{"NAPTR example.com": many(1000, `10 %d "s" "SIP+D2T" "" srv.example.com.`)})
		z.records["SRV srv.example.com"] = many(1000, "%d 0 5060 host.example.com.")
		z.records["A host.example.com"] = many(200, "192.0.2.%d")
		assert.Len(t, locateAll(t, newLocator(t, z, true), "sip:example.com", ""), maxAddresses, "the same ones again")
		assert.Len(t, z.questions(), 1+maxNAPTR+maxServers)

		z.records["SRV srv.example.com"] = many(1000, "%d 0 5060 host%[1]d.example.com.")
		for i := range 1000 {
			z.records[fmt.Sprintf("A host%d.example.com", i)] = []string{fmt.Sprintf("192.0.2.%d", i%256)}
		}
		assert.Len(t, locateAll(t, newLocator(t, z, true), "sip:example.com", ""), maxHops)

		for i := range 1000 { // with several addresses each
			z.records[fmt.Sprintf("A host%d.example.com", i)] = many(4, fmt.Sprintf("192.0.%d.%%d", i%256))
		}
		assert.Len(t, locateAll(t, newLocator(t, z, true), "sip:example.com", ""), maxHops)
	})
	t.Run("orders", func(t *testing.T) {
		z := newZone(map[string][]string{"NAPTR example.com": many(1000, `%d 1 "s" "SIP+D2T" "" gone%[1]d.example.com.`)})
		_, err := newLocator(t, z, true).locate(testContext(t), uriOf(t, "sip:example.com"), "")
		assert.ErrorIs(t, err, ErrNoServer)
		assert.Len(t, z.questions(), 1+maxNAPTR+len(ways)+1)
	})
	t.Run("silence", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			z := newZone(map[string][]string{
				"NAPTR example.com":          {"?"},
				"SRV _sips._tcp.example.com": {"?"}, "SRV _sip._tcp.example.com": {"?"},
				"SRV _sip._udp.example.com": {"0 0 5060 one.example.com.", "1 0 5060 two.example.com."},
				"A one.example.com":         {"?"},
				"A two.example.com":         {"192.0.2.2"},
			})
			a, start := newLocator(t, z, true), time.Now()
			assert.Equal(t, []string{"udp 192.0.2.2:5060"}, locateAll(t, a, "sip:example.com", ""))
			assert.Equal(t, 3*askTime, time.Since(start))

			z.records["NAPTR example.com"] = many(1000, `%d 1 "s" "SIP+D2T" "" silent.example.com.`)
			z.records["SRV silent.example.com"] = []string{"?"}
			start = time.Now()
			_, err := a.locate(t.Context(), uriOf(t, "sip:example.com"), "")
			assert.ErrorIs(t, err, ErrNoServer)
			assert.Equal(t, searchTime, time.Since(start))
		})
	})
}

// A resolver of the user's may return anything.
func TestRFC3263_4_StrangeResolver(t *testing.T) {
	a := newLocator(t, nil, true)
	a.opts.Resolver = anyResolver{[]*NAPTR{nil}, []*net.SRV{nil}, []netip.Addr{{}}}
	hops, err := a.locate(testContext(t), uriOf(t, "sip:example.com"), "")
	assert.Empty(t, hops)
	assert.ErrorIs(t, err, ErrNoServer)
}

// Whatever a resolver returns, a sips URI finds nothing in plain, nothing in plain follows TLS, and certificates are for the domain of the URI.
func FuzzLocate(f *testing.F) {
	f.Add(true, "s", "SIPS+D2T", "_sips._tcp.example.com.", "one.example.com.", uint16(5061), "192.0.2.1", uint16(10))
	f.Add(false, "S", "SIP+D2U", "_sip._udp.example.com", "192.0.2.1", uint16(5060), "2001:db8::1", uint16(20))
	f.Add(false, "a", "sip+d2w", ".", ".", uint16(0), "224.0.0.1", uint16(0))
	f.Add(true, "u", "E2U+sip", "a\r\nb", "\x00", uint16(1), "fe80::1%lo", uint16(30))
	f.Fuzz(func(t *testing.T, sips bool, flags, service, replacement, target string, port uint16, ip string, order uint16) {
		addr, _ := netip.ParseAddr(ip)
		a := newLocator(t, nil, true)
		a.opts.Resolver = anyResolver{
			[]*NAPTR{
				{Order: order, Flags: flags, Service: service, Replacement: replacement},
				{Order: 20, Preference: 1, Flags: "s", Service: "SIP+D2T", Replacement: target},
				{Order: 20, Preference: port, Flags: "s", Service: "SIPS+D2T", Replacement: target},
			},
			[]*net.SRV{{Target: target, Port: port, Priority: order, Weight: port}, {Target: replacement, Port: 5060}},
			[]netip.Addr{addr},
		}
		u := gosip.Uri{Scheme: "sip", Host: "example.com"}
		if sips {
			u.Scheme = "sips"
		}
		hops, err := a.locate(t.Context(), u, "")
		require.Equal(t, err != nil, len(hops) == 0)
		require.LessOrEqual(t, len(hops), maxHops)
		encrypted := sips
		for _, h := range hops {
			secure := usesTLS(h.network)
			encrypted = encrypted || secure
			require.Equal(t, encrypted, secure, h.text())
			require.True(t, !secure || h.name == "example.com")
			require.True(t, h.addr.IsValid() && h.addr.Port() != 0)
		}
	})
}

type anyResolver struct {
	naptr []*NAPTR
	srv   []*net.SRV
	ips   []netip.Addr
}

func (r anyResolver) LookupNAPTR(context.Context, string) ([]*NAPTR, error) { return r.naptr, nil }
func (r anyResolver) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", r.srv, nil
}
func (r anyResolver) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return r.ips, nil
}

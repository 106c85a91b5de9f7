package hop

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// srv is a record of a zone that zone serves.
type srv struct {
	priority, weight, port uint16
	target                 string
}

// zone is a DNS server: it answers every query for SRV records of _msrps._tcp.example.com with its records, others as if there were none.
type zone struct {
	code    byte // 3: no such name
	records []srv
	silent  bool
}

// resolver is a net.Resolver that asks z over a connection in memory.
func (z *zone) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go z.serve(theirs)
		return ours, nil
	}}
}

// serve speaks DNS over TCP: each message has its length before it.
func (z *zone) serve(nc net.Conn) {
	defer nc.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(nc, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(nc, query); err != nil {
			return
		}
		if z.silent {
			continue
		}
		answer := z.answer(query)
		nc.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	}
}

func (z *zone) answer(query []byte) []byte {
	question := query[12:]
	end := strings.IndexByte(string(question), 0) + 5 // name, type, class
	question = question[:end]
	records := z.records
	if !strings.HasPrefix(string(question), "\x06_msrps\x04_tcp\x07example\x03com\x00\x00\x21") {
		records = nil
	}
	b := append(query[:2:2], 0x84, z.code, 0, 1) // an authoritative answer to one question
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(records))), 0, 0, 0, 0)
	b = append(b, question...)
	for _, r := range records {
		b = append(b, 0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 60) // the name asked for, SRV, IN, a minute
		var name []byte
		for _, label := range strings.Split(strings.Trim(r.target, "."), ".") {
			if label != "" {
				name = append(append(name, byte(len(label))), label...)
			}
		}
		name = append(name, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(6+len(name)))
		for _, n := range []uint16{r.priority, r.weight, r.port} {
			b = binary.BigEndian.AppendUint16(b, n)
		}
		b = append(b, name...)
	}
	return b
}

func TestRFC4976_8_FindsTheRelay(t *testing.T) {
	many := make([]srv, 20)
	for i := range many {
		many[i] = srv{uint16(i), 0, 9000, "server.example.com"}
	}
	for name, tt := range map[string]struct {
		zone zone
		host string
		port uint16
		want []string
		err  error
	}{
		"priorities":        {zone{records: []srv{{20, 0, 9002, "b.example.com"}, {10, 0, 9001, "a.example.com"}}}, "example.com", 0, []string{"a.example.com:9001", "b.example.com:9002"}, nil},
		"a port":            {zone{records: []srv{{0, 0, 9001, "a.example.com"}}}, "example.com", 9, []string{"example.com:9"}, nil},
		"an IPv4 address":   {zone{}, "192.0.2.1", 0, []string{"192.0.2.1:2855"}, nil},
		"an IPv6 address":   {zone{}, "2001:db8::1", 0, []string{"[2001:db8::1]:2855"}, nil},
		"address with port": {zone{}, "2001:db8::1", 9, []string{"[2001:db8::1]:9"}, nil},
		"no such name":      {zone{code: 3}, "example.com", 0, []string{"example.com:2855"}, nil},
		"no records":        {zone{}, "example.com", 0, []string{"example.com:2855"}, nil},
		"no service":        {zone{records: []srv{{0, 0, 0, "."}}}, "example.com", 0, nil, ErrNoService},
		"target beside .":   {zone{records: []srv{{0, 0, 0, "."}, {1, 0, 9001, "a.example.com"}}}, "example.com", 0, []string{"a.example.com:9001"}, nil},
		"malformed targets": {zone{records: []srv{{0, 0, 1, "a b.example.com"}, {1, 0, 9001, "a.example.com"}}}, "example.com", 0, []string{"a.example.com:9001"}, nil},
		"too many":          {zone{records: many}, "example.com", 0, strings.Fields(strings.Repeat("server.example.com:9000 ", maxAddresses)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Find(t.Context(), tt.zone.resolver().LookupSRV, tt.host, tt.port)
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.want, got)
		})
	}
}

// Records of one priority take turns by weight.
func TestRFC4976_8_Weights(t *testing.T) {
	z := zone{records: []srv{{0, 1, 9000, "server1.example.com"}, {0, 3, 9000, "server2.example.com"}}}
	first := map[string]int{}
	for range 400 {
		got, err := Find(t.Context(), z.resolver().LookupSRV, "example.com", 0)
		require.NoError(t, err)
		require.Len(t, got, 2)
		first[got[0]]++
	}
	require.Greater(t, first["server2.example.com:9000"], first["server1.example.com:9000"])
	require.Greater(t, first["server1.example.com:9000"], 20) // 100 are expected
}

// A resolver of the user's may return anything, in any order.
func TestFindStrangeResolver(t *testing.T) {
	got, err := Find(t.Context(), func(context.Context, string, string, string) (string, []*net.SRV, error) {
		return "", []*net.SRV{{Target: "b.example.com", Port: 9, Priority: 2}, nil, {Target: "a.example.com", Port: 9, Priority: 1}}, nil
	}, "example.com", 0)
	require.NoError(t, err)
	require.Equal(t, []string{"a.example.com:9", "b.example.com:9"}, got)
	_, err = Find(t.Context(), func(context.Context, string, string, string) (string, []*net.SRV, error) {
		return "", []*net.SRV{nil}, nil
	}, "example.com", 0)
	require.ErrorIs(t, err, ErrNoService)
}

// A DNS server that fails says nothing about the domain: another address is not tried in its place.
func TestFindLookupFails(t *testing.T) {
	broken := errors.New("broken")
	_, err := Find(t.Context(), func(context.Context, string, string, string) (string, []*net.SRV, error) { return "", nil, broken }, "example.com", 0)
	require.ErrorIs(t, err, broken)
	z := zone{code: 2} // server failure
	_, err = Find(t.Context(), z.resolver().LookupSRV, "example.com", 0)
	require.ErrorContains(t, err, "example.com")
}

func TestFindEndsWithItsContext(t *testing.T) {
	_, err := Find(t.Context(), new(zone).resolver().LookupSRV, "example.com", 0) // package net keeps a channel from its first use: not one of the bubble
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		z := zone{silent: true}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := Find(ctx, z.resolver().LookupSRV, "example.com", 0)
		require.Error(t, err)
		require.Equal(t, time.Second, time.Since(start))
	})
}

package sip

import (
	"errors"
	"net"
)

// maxSources bounds the source addresses of datagrams that sipgo keeps.
const maxSources = 4096

var errSources = errors.New("sip: too many sources")

// packets is the UDP socket that sipgo serves. sipgo keeps every source address until its read loop ends, so the
// loop is ended, and started again by the agent, when there are too many. The socket stays open meanwhile.
type packets struct {
	net.PacketConn
	sources map[string]struct{} // only ReadFrom uses it
}

func newPackets(c net.PacketConn) *packets {
	return &packets{PacketConn: c, sources: make(map[string]struct{})}
}

// ReadFrom implements net.PacketConn.
func (p *packets) ReadFrom(b []byte) (int, net.Addr, error) {
	if len(p.sources) >= maxSources {
		clear(p.sources)
		return 0, nil, errSources
	}
	n, addr, err := p.PacketConn.ReadFrom(b)
	if err == nil {
		p.sources[addr.String()] = struct{}{}
	}
	return n, addr, err
}

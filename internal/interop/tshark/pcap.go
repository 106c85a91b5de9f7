package tshark

import (
	"encoding/binary"
	"net/netip"
)

// endpoint is an address of the capture.
type endpoint = netip.AddrPort

const (
	linkTypeRaw = 101 // packets begin with the IP header
	maxPayload  = 32 << 10
)

// appendPcap appends a capture file in which every frame begins a TCP segment of its own.
func appendPcap(b []byte, frames []segment) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, 0xa1b2c3d4)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint32(b, 1<<18)
	b = le.AppendUint32(b, linkTypeRaw)
	seq := make(map[string]uint32)
	for i, f := range frames {
		for rest := f.payload; len(rest) > 0; {
			part := rest[:min(len(rest), maxPayload)]
			rest = rest[len(part):]
			packet := ipPacket(f.src, f.dst, tcpSegment(f.src, f.dst, seq[f.stream], part))
			seq[f.stream] += uint32(len(part))
			b = le.AppendUint32(b, uint32(i)) // seconds: an order is enough
			b = le.AppendUint32(b, 0)
			b = le.AppendUint32(b, uint32(len(packet)))
			b = le.AppendUint32(b, uint32(len(packet)))
			b = append(b, packet...)
		}
	}
	return b
}

func ipPacket(src, dst endpoint, payload []byte) []byte {
	const hopLimit, tcp = 64, 6
	be := binary.BigEndian
	var b []byte
	if src.Addr().Is4() {
		b = []byte{0x45, 0}
		b = be.AppendUint16(b, uint16(20+len(payload)))
		b = append(b, 0, 0, 0, 0, hopLimit, tcp, 0, 0)
	} else {
		b = []byte{0x60, 0, 0, 0}
		b = be.AppendUint16(b, uint16(len(payload)))
		b = append(b, tcp, hopLimit)
	}
	b = append(b, src.Addr().AsSlice()...)
	b = append(b, dst.Addr().AsSlice()...)
	return append(b, payload...)
}

func tcpSegment(src, dst endpoint, seq uint32, payload []byte) []byte {
	const headerWords, pshAck, window = 5, 0x18, 65535
	be := binary.BigEndian
	b := be.AppendUint16(nil, src.Port())
	b = be.AppendUint16(b, dst.Port())
	b = be.AppendUint32(b, 1+seq)
	b = be.AppendUint32(b, 1)
	b = append(b, headerWords<<4, pshAck)
	b = be.AppendUint16(b, window)
	b = append(b, 0, 0, 0, 0) // no checksum: tshark does not look; no urgent pointer
	return append(b, payload...)
}

package tshark

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// packet is one packet of tshark's PDML output: a tree of protocols and their fields.
type packet struct {
	Protocols []node `xml:"proto"`
}

type node struct {
	Name     string `xml:"name,attr"`
	Show     string `xml:"show,attr"`
	Showname string `xml:"showname,attr"`
	Value    string `xml:"value,attr"`
	Nodes    []node `xml:",any"`
}

func parsePDML(text []byte) ([]packet, error) {
	var doc struct {
		Packets []packet `xml:"packet"`
	}
	// tshark copies what was on the wire into attributes, also bytes that XML does not allow.
	clean := bytes.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' {
			return '\uFFFD'
		}
		return r
	}, bytes.ToValidUTF8(text, []byte("\uFFFD")))
	err := xml.Unmarshal(clean, &doc)
	return doc.Packets, err
}

// fields collects the shown value of every field below n by name.
func (n *node) fields(into map[string][]string) {
	for i := range n.Nodes {
		child := &n.Nodes[i]
		into[child.Name] = append(into[child.Name], child.Show)
		child.fields(into)
	}
}

// frames returns the frames of a protocol in p, and an error for what tshark finds wrong with them.
func (p *packet) frames(protocol string) ([]Frame, error) {
	all := p.all()
	var frames []Frame
	var errs []error
	for i := range p.Protocols {
		n := &p.Protocols[i]
		switch n.Name {
		case protocol:
			f := Frame{Protocol: protocol, Fields: map[string][]string{}}
			f.Source, f.Destination = address(all, "src"), address(all, "dst")
			n.fields(f.Fields)
			f.Method = first(f.Fields, protocol+".method", protocol+".Method")
			f.Status, _ = strconv.Atoi(first(f.Fields, protocol+".status.code", protocol+".Status-Code"))
			frames = append(frames, f)
			errs = append(errs, p.complaint(n))
		case "geninfo", "frame", "eth", "null", "raw", "ip", "ipv6", "tcp", "udp", "fake-field-wrapper":
		default:
			errs = append(errs, fmt.Errorf("packet %s holds %s", p.number(), cmp.Or(n.Showname, n.Name)))
		}
	}
	return frames, errors.Join(errs...)
}

// complaint returns what tshark calls malformed, or warns of, in n.
func (p *packet) complaint(n *node) error {
	const warning = 0x600000
	var errs []error
	for i := range n.Nodes {
		child := &n.Nodes[i]
		severity, _ := strconv.Atoi(first(child.own(), "_ws.expert.severity"))
		if child.Name == "_ws.malformed" || child.Name == "_ws.expert" && severity >= warning {
			errs = append(errs, fmt.Errorf("packet %s: %s", p.number(), child.Showname))
		}
		errs = append(errs, p.complaint(child))
	}
	return errors.Join(errs...)
}

func (n *node) own() map[string][]string {
	m := make(map[string][]string)
	for _, child := range n.Nodes {
		m[child.Name] = append(m[child.Name], child.Show)
	}
	return m
}

func (p *packet) all() map[string][]string {
	m := make(map[string][]string)
	(&node{Nodes: p.Protocols}).fields(m)
	return m
}

func (p *packet) number() string { return first(p.all(), "frame.number") }

// joined tells whether the payload of p is part of a message that a later packet completes.
func (p *packet) joined() bool { return p.all()["tcp.reassembled_in"] != nil }

func (p *packet) lineEndsOnly() bool {
	payload := strings.ReplaceAll(first(p.all(), "tcp.payload", "udp.payload"), ":", "")
	return payload != "" && strings.ReplaceAll(payload, "0d0a", "") == ""
}

func address(all map[string][]string, side string) string {
	host := first(all, "ip."+side, "ipv6."+side)
	return net.JoinHostPort(host, first(all, "tcp."+side+"port", "udp."+side+"port"))
}

func first(fields map[string][]string, names ...string) string {
	for _, name := range names {
		if v := fields[name]; len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

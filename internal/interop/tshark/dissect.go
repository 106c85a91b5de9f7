package tshark

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/otrchat/otrchat/internal/interop/foreign"
)

const dissectTime = 2 * time.Minute

// Ports says which TCP and UDP ports of a capture carry which protocol; one end of a connection is enough.
type Ports struct {
	SIP  []int
	MSRP []int
}

// Frame is one SIP message, with the SDP in it, or one MSRP frame, as tshark understood it.
type Frame struct {
	Protocol            string              // "sip" or "msrp"
	Source, Destination string              // "127.0.0.1:5060"
	Method              string              // of a request
	Status              int                 // of a response
	Fields              map[string][]string // tshark's names, for example "msrp.byte.range" or "sip.Call-ID"
}

// Dissect returns the SIP messages of a capture and then its MSRP frames, each in the order in which they were complete.
// The test fails when tshark calls a part of one malformed or warns of it, when a payload on these ports is anything
// else (but a SIP keep-alive of line ends, RFC 5626 §3.5.1), when a frame is not understood to its end, or when nothing
// at all was sent on the ports of a protocol.
func Dissect(t testing.TB, pcap string, ports Ports) []Frame {
	t.Helper()
	frames, err := dissect(t, pcap, ports)
	if err != nil {
		t.Errorf("tshark: %s: %v", filepath.Base(pcap), err)
	}
	return frames
}

func dissect(t testing.TB, pcap string, ports Ports) ([]Frame, error) {
	sip, sipErr := dissectSIP(t, pcap, ports.SIP)
	msrp, msrpErr := dissectMSRP(t, pcap, ports.MSRP)
	return append(sip, msrp...), errors.Join(sipErr, msrpErr)
}

func dissectSIP(t testing.TB, pcap string, ports []int) ([]Frame, error) {
	if len(ports) == 0 {
		return nil, nil
	}
	packets := pdml(t, pcap, "sip", ports)
	var frames []Frame
	var errs []error
	for _, p := range packets {
		found, err := p.frames("sip")
		frames = append(frames, found...)
		errs = append(errs, err)
		if len(found) == 0 && !p.joined() && !p.lineEndsOnly() {
			errs = append(errs, fmt.Errorf("packet %s is not SIP", p.number()))
		}
	}
	if len(packets) == 0 {
		errs = append(errs, fmt.Errorf("nothing was sent on the SIP ports %v", ports))
	}
	for _, f := range frames {
		if f.Method == "" && f.Status == 0 {
			errs = append(errs, fmt.Errorf("a SIP message from %s has no start line", f.Source))
		}
	}
	return frames, errors.Join(errs...)
}

func dissectMSRP(t testing.TB, pcap string, ports []int) ([]Frame, error) {
	if len(ports) == 0 {
		return nil, nil
	}
	segments, err := tcpSegments(t, pcap, ports)
	if err != nil {
		return nil, err
	}
	if len(segments) == 0 {
		return nil, fmt.Errorf("nothing was sent on the MSRP ports %v", ports)
	}
	sent, err := cut(segments)
	if err != nil {
		return nil, err
	}
	rebuilt := filepath.Join(t.TempDir(), "frames.pcap")
	if err := os.WriteFile(rebuilt, appendPcap(nil, sent), 0o600); err != nil {
		return nil, err
	}
	var frames []Frame
	var errs []error
	for _, p := range pdml(t, rebuilt, "msrp", ports) {
		found, err := p.frames("msrp")
		frames = append(frames, found...)
		errs = append(errs, err)
	}
	if len(frames) != len(sent) {
		errs = append(errs, fmt.Errorf("%d MSRP frames were sent and %d understood", len(sent), len(frames)))
	}
	for i, f := range frames {
		if f.Fields["msrp.end.line"] == nil || f.Method == "" && f.Status == 0 {
			errs = append(errs, fmt.Errorf("MSRP frame %d from %s was not understood to its end", i+1, f.Source))
		}
	}
	return frames, errors.Join(errs...)
}

// tcpSegments lists the TCP payloads of a capture on the given ports.
func tcpSegments(t testing.TB, pcap string, ports []int) ([]segment, error) {
	columns := []string{"frame.number", "tcp.stream", "ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport", "tcp.seq", "tcp.payload"}
	args := []string{"-o", "tcp.desegment_tcp_streams:FALSE", "-Y", "tcp.len > 0 && (" + anyPort("tcp", ports) + ")", "-T", "fields"}
	for _, c := range columns {
		args = append(args, "-e", c)
	}
	var segments []segment
	for line := range strings.Lines(string(run(t, pcap, args...))) {
		s, err := parseSegment(strings.Split(strings.TrimRight(line, "\r\n"), "\t"))
		if err != nil {
			return nil, fmt.Errorf("%w in %.80q", err, line)
		}
		segments = append(segments, s)
	}
	return segments, nil
}

func parseSegment(c []string) (s segment, err error) {
	if len(c) != 10 {
		return s, errors.New("unexpected columns")
	}
	number, err1 := strconv.Atoi(c[0])
	src, err2 := netip.ParseAddrPort(net.JoinHostPort(c[2]+c[3], c[4]))
	dst, err3 := netip.ParseAddrPort(net.JoinHostPort(c[5]+c[6], c[7]))
	seq, err4 := strconv.ParseUint(c[8], 10, 32)
	payload, err5 := hex.DecodeString(strings.ReplaceAll(c[9], ":", ""))
	s = segment{number: number, stream: c[1] + " " + src.String(), src: src, dst: dst, seq: uint32(seq), payload: payload}
	return s, errors.Join(err1, err2, err3, err4, err5)
}

// pdml dissects every payload on the given ports as protocol.
func pdml(t testing.TB, pcap, protocol string, ports []int) []packet {
	args := []string{"-2", "-o", "msrp.display_raw_text:FALSE", "-T", "pdml",
		"-Y", "(tcp.len > 0 && (" + anyPort("tcp", ports) + ")) || " + anyPort("udp", ports)}
	for _, p := range ports {
		args = append(args, "-d", fmt.Sprintf("tcp.port==%d,%s", p, protocol))
		if protocol == "sip" {
			args = append(args, "-d", fmt.Sprintf("udp.port==%d,%s", p, protocol))
		}
	}
	packets, err := parsePDML(run(t, pcap, args...))
	if err != nil {
		t.Fatalf("tshark: its PDML does not parse: %v", err)
	}
	return packets
}

func anyPort(protocol string, ports []int) string {
	var terms []string
	for _, p := range ports {
		terms = append(terms, fmt.Sprintf("%s.port == %d", protocol, p))
	}
	return strings.Join(terms, " || ")
}

// run starts tshark on a capture, with name resolution off and with no configuration of the user's.
func run(t testing.TB, pcap string, args ...string) []byte {
	cmd := exec.Command(foreign.Need(t, "tshark"), append([]string{"-n", "-r", pcap}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
	return bytes.Clone(foreign.Run(t, dissectTime, cmd))
}

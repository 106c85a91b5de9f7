package tshark

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/otrchat/otrchat/internal/interop/foreign"
)

const (
	maxKilobytes = 64 << 10
	patience     = 20 * time.Second
)

// Recording is a capture under way.
type Recording struct {
	t       testing.TB
	path    string
	dumpcap *foreign.Process
	marker  net.Conn
}

// Capture begins to capture loopback traffic on the given TCP and UDP ports, or on all of them when none is given, and
// returns once packets are really written. Call [Recording.Stop] at the end; the capture ends with the test at the latest.
func Capture(t testing.TB, ports ...int) *Recording {
	t.Helper()
	dumpcap := foreign.Need(t, "dumpcap")
	foreign.Need(t, "tshark")
	r := &Recording{t: t, path: filepath.Join(t.TempDir(), "capture.pcapng"), marker: markerSocket(t)}
	r.dumpcap = foreign.Start(t, exec.Command(dumpcap, "-q", "-i", loopback(t), "-B", "16",
		"-a", "filesize:"+strconv.Itoa(maxKilobytes), "-f", r.filter(ports), "-w", r.path))
	if err := r.dumpcap.WaitFor("File:", patience); err != nil {
		if strings.Contains(err.Error(), "permission") {
			foreign.Missing(t, "the right to capture on the loopback interface")
		}
		t.Fatal(err)
	}
	r.mark()
	return r
}

// Stop ends the capture, once everything sent before this call is in it, and returns the path of the file.
// It fails the test when packets were dropped.
func (r *Recording) Stop() (path string) {
	r.t.Helper()
	r.mark()
	r.dumpcap.Interrupt()
	select {
	case <-r.dumpcap.Done():
	case <-time.After(patience):
		r.t.Fatal("tshark: dumpcap does not end: ", r.dumpcap.Output())
	}
	if report := r.dumpcap.Output(); !strings.Contains(report, "(100.0%)") {
		r.t.Fatal("tshark: dumpcap lost packets: ", report)
	}
	return r.path
}

func (r *Recording) filter(ports []int) string {
	if len(ports) == 0 {
		return "tcp or udp"
	}
	_, marker, _ := net.SplitHostPort(r.marker.LocalAddr().String())
	terms := []string{"udp port " + marker}
	for _, p := range ports {
		terms = append(terms, fmt.Sprintf("port %d", p))
	}
	return strings.Join(terms, " or ")
}

// mark sends a datagram that nothing else would send and waits until it stands in the file, and with it all that was
// sent before: packets pass the loopback interface in order. It is sent again in case the capture began after it.
func (r *Recording) mark() {
	r.t.Helper()
	text := []byte("tshark marker " + rand.Text())
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if _, err := r.marker.Write(text); err != nil {
			r.t.Fatal("tshark: ", err)
		}
		for range 20 {
			captured, err := os.ReadFile(r.path)
			if err == nil && bytes.Contains(captured, text) {
				return
			}
			select {
			case <-r.dumpcap.Done():
				r.t.Fatal("tshark: dumpcap ended early: ", r.dumpcap.Output())
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	r.t.Fatal("tshark: dumpcap writes nothing: ", r.dumpcap.Output())
}

// markerSocket is a UDP socket that sends to itself, so that nothing answers "port unreachable".
func markerSocket(t testing.TB) net.Conn {
	own, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal("tshark: ", err)
	}
	t.Cleanup(func() { _ = own.Close() })
	return &selfConn{own}
}

type selfConn struct{ *net.UDPConn }

func (c *selfConn) Write(b []byte) (int, error) { return c.WriteTo(b, c.LocalAddr()) }

func loopback(t testing.TB) string {
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal("tshark: ", err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 && i.Flags&net.FlagUp != 0 {
			return i.Name
		}
	}
	foreign.Missing(t, "a loopback interface")
	return ""
}

package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/internal/quiet"
	"github.com/otrchat/otrchat/internal/tap"
)

func TestMain(m *testing.M) { leakcheck.Main(m, quiet.Stdout) }

// leavesNothing gives the test a folder for temporary files, and checks at its end that none is left.
func leavesNothing(t *testing.T) {
	t.Helper()
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	t.Setenv("TMP", folder)
	t.Cleanup(func() {
		left, err := os.ReadDir(folder)
		assert.NoError(t, err)
		assert.Empty(t, left, "files left behind")
	})
}

// told runs the story.
func told(t *testing.T, o options) (output string, err error) {
	t.Helper()
	leavesNothing(t)
	ctx, cancel := context.WithTimeout(t.Context(), timeLimit)
	defer cancel()
	var out bytes.Buffer
	err = tell(ctx, &out, o)
	return out.String(), err
}

// whole is what the story says when it goes well, line by line; the beginnings of lines are enough, and other lines may stand between.
var whole = []string{
	"1. Alice calls Bob",
	"   Alice's fingerprint ",
	"   Bob's fingerprint   ",
	"   Alice calls         sip:bob@127.0.0.1:",
	"   Alice's lock        encrypted, not verified",
	"   Bob's lock          encrypted, not verified",
	"2. A message",
	"   Alice types         " + words,
	"   | MSRP ",
	"   | To-Path: msrp://127.0.0.1:",
	"   | ?OTR:AAMD",
	"   Bob reads           " + words,
	"   Her words in clear  not once in the ",
	"3. Do both see",
	"   Alice sees Bob's    ",
	"   Bob sees Alice's    ",
	"4. A question",
	"   Alice asks          " + asks,
	"   Bob answers         " + secret,
	"   Alice's lock        encrypted and verified",
	"   Bob's lock          encrypted, not verified",
	"   Alice's contacts    bob@127.0.0.1 is verified-smp",
	"5. Somebody calls as Bob",
	"   Alice's chat warns  bob@127.0.0.1 has a new key. A verified key was known",
	"   Alice's lock        encrypted with a changed key",
	"   Alice's desktop     Encryption warning: new key of bob@127.0.0.1",
	"6. A call to a program that knows no encryption",
	"   Carol's screen      ?OTRv3?",
	"   Alice's chat says   The other side did not answer the request for",
	"   Alice's lock        not encrypted",
	"   Carol answers       Hello Alice",
	"   Her words in clear  once in the ",
	"7. A call to a conference",
	"   Alice's lock        no encryption in a conference",
	"   Room answers        Hello Alice",
	"   Her words in clear  once in the ",
	"   Traces of OTR       not once in the ",
	"All steps came out as they should.",
}

func assertWhole(t *testing.T, output string) {
	t.Helper()
	assertLines(t, output, whole)
}

func assertLines(t *testing.T, output string, lines []string) {
	t.Helper()
	rest := "\n" + output
	for _, line := range lines {
		_, after, found := strings.Cut(rest, "\n"+line)
		if !assert.True(t, found, "%q is missing, or not in its place, in:\n%s", line, output) {
			return
		}
		rest = after
	}
}

func TestStory(t *testing.T) {
	output, err := told(t, options{answer: secret})
	require.NoError(t, err)
	assertWhole(t, output)
	for line := range strings.Lines(output) {
		assert.LessOrEqual(t, len([]rune(strings.TrimSpace(line))), width+3, line)
	}
	assert.NotContains(t, output, "INVITE", "traffic without being asked for it")
}

func TestVerboseShowsTheTraffic(t *testing.T) {
	output, err := told(t, options{answer: secret, verbose: true})
	require.NoError(t, err)
	for _, want := range []string{
		"the other side → Bob\n    INVITE sip:bob@127.0.0.1", "Bob → the other side\n    SIP/2.0 200 OK", "a=path:msrp://",
		"Alice → the other side\n    MSRP ", "BYE sip:", "isfocus",
	} {
		assert.Contains(t, output, want)
	}
	assert.Equal(t, 2, strings.Count(output, words), "what Alice types and Bob reads, and nowhere in the traffic")
}

func TestWrongAnswer(t *testing.T) {
	output, err := told(t, options{answer: "Paris"})
	require.ErrorContains(t, err, "step 4")
	require.ErrorContains(t, err, "Bob is not verified")
	assert.Contains(t, output, "Paris")
	assert.NotContains(t, output, "verified-smp")
	assert.NotContains(t, output, "\n5. ")
	assert.NotContains(t, output, "All steps")
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, err = told(t, options{answer: secret, port: l.Addr().(*net.TCPAddr).Port})
	var taken *net.OpError
	require.ErrorAs(t, err, &taken)
	assert.Equal(t, "listen", taken.Op)
}

func TestNoTime(t *testing.T) {
	leavesNothing(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, tell(ctx, &bytes.Buffer{}, options{answer: secret}), context.Canceled)
}

// The checks of the wire have to see what they look for.
func TestSeen(t *testing.T) {
	rec := tap.New(&tap.Options{Local: "Alice", Remote: "Bob"})
	a, b := net.Pipe()
	b = tap.Conn(b, rec)
	defer b.Close()
	go func() {
		for _, part := range []string{"MSRP x1 SEND\r\nMessage-ID: m1\r\n\r\nMeet ", "me\r\n-------x1$\r\n"} {
			_, _ = a.Write([]byte(part))
		}
		_ = a.Close()
	}()
	_, _ = bytes.NewBuffer(nil).ReadFrom(b)

	n, recorded := seen("Meet me", rec)
	assert.Equal(t, 1, n, "also across two pieces")
	assert.Equal(t, len(rec.Bytes()), recorded)
	_, err := sent(rec, "Alice", "m1")
	require.Error(t, err, "Bob sent it, not Alice")
}

func TestSent(t *testing.T) {
	rec := tap.New(&tap.Options{Local: "Alice", Remote: "Bob"})
	a, b := net.Pipe()
	b = tap.Conn(b, rec)
	go func() { _, _ = bytes.NewBuffer(nil).ReadFrom(a) }()
	for _, frame := range []string{
		"MSRP x1 SEND\r\nMessage-ID: m1\r\n\r\none\r\n-------x1$\r\n",
		"MSRP x2 SEND\r\nMessage-ID: m2\r\n\r\ntwo\r\n-------x2$\r\n",
		"MSRP x3 SEND\r\nMessage-ID: m3\r\n\r\nnot who", // broken off
	} {
		_, err := b.Write([]byte(frame))
		require.NoError(t, err)
	}
	require.NoError(t, b.Close())
	frame, err := sent(rec, "Alice", "m2")
	require.NoError(t, err)
	assert.Equal(t, "MSRP x2 SEND\r\nMessage-ID: m2\r\n\r\ntwo", frame)
	_, err = sent(rec, "Alice", "m3")
	require.Error(t, err)
	_, err = sent(rec, "Alice", "m")
	require.Error(t, err)
}

func TestCheck(t *testing.T) {
	require.NoError(t, check("it", 1, 1))
	require.EqualError(t, check("it", 1, 2), "it: got 1, want 2")
}

// build makes the program.
func build(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "quickstart")
	foreign.Run(t, 2*time.Minute, exec.Command(foreign.Need(t, "go"), "build", "-o", path, "."))
	return path
}

func TestExitStatus(t *testing.T) {
	program := build(t)
	leavesNothing(t)
	var out, errs bytes.Buffer
	cmd := exec.Command(program, "-answer", "Paris")
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Run(), &exit)
	assert.Equal(t, 1, exit.ExitCode())
	assert.Contains(t, out.String(), "Bob answers         Paris\n", "the last line before the failure")
	assert.NotContains(t, out.String(), "wipe kind")
	assert.Contains(t, errs.String(), "quickstart: step 4")
}

func TestInterrupt(t *testing.T) {
	program := build(t)
	leavesNothing(t)
	p := foreign.Start(t, exec.Command(program))
	require.NoError(t, p.WaitFor("6. A call", timeLimit)) // which takes a second, the wait for Carol's answer
	p.Interrupt()
	<-p.Done()
	assert.Equal(t, 1, p.ExitCode())
	assert.Contains(t, p.Output(), "context canceled")
	assert.NotContains(t, p.Output(), "All steps")
}

func TestNobodyReads(t *testing.T) {
	program := build(t)
	leavesNothing(t)
	cmd := exec.Command(program)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = out.Read(make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, out.Close())
	require.Error(t, cmd.Wait())
	assert.Equal(t, 1, cmd.ProcessState.ExitCode(), "ended by itself, not by the signal")
}

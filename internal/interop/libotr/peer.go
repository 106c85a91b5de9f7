package libotr

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/otrchat/otrchat/internal/interop/foreign"
)

//go:embed peer/libotr_peer.c
var source []byte

const (
	patience = 30 * time.Second
	maxLine  = 32 << 20
)

// Peer is a running libotr with one conversation.
type Peer struct {
	// Fingerprint is its key's, as 40 lower-case hexadecimal digits, and
	// Library the version of libotr.
	Fingerprint, Library string

	t       testing.TB
	mu      sync.Mutex
	process *foreign.Process
	stdin   io.Writer
	lines   chan []byte
}

// Event is something that libotr reports. Event names its kind, which tells
// what other fields are set; see peer/libotr_peer.c.
type Event struct {
	Event       string
	Message     []byte // inject: for the other side
	Text        []byte // text: for the user
	Encrypted   bool   // text: how it came
	State       string // state: Plaintext, Encrypted or Finished
	Fingerprint string // state, ready
	SSID        string // state
	Version     int    // state
	Library     string // ready
	Result      string // smp: asked, progress, succeeded, failed, aborted or error
	Question    []byte // smp
	Name        string // notice
}

// Start compiles the program and runs it, until the end of the test at the
// latest. The arguments are those of peer/libotr_peer.c, such as "--versions",
// "23" and "--fragment", "500".
func Start(t testing.TB, args ...string) *Peer {
	t.Helper()
	cmd := exec.Command(build(t, "libotr_peer", source), args...)
	r, w := io.Pipe()
	cmd.Stdout = w
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatalf("libotr: %v", err)
	}
	p := &Peer{t: t, stdin: stdin, lines: make(chan []byte, 1)}
	t.Cleanup(func() { r.Close() }) // runs after the program has been stopped
	p.process = foreign.Start(t, cmd)
	go p.read(r)
	go func() {
		<-p.process.Done()
		w.Close()
	}()
	ready := p.events()
	if len(ready) != 1 || ready[0].Event != "ready" {
		t.Fatalf("libotr: began with %+v", ready)
	}
	p.Fingerprint, p.Library = ready[0].Fingerprint, ready[0].Library
	return p
}

// build compiles a program into a folder of the test's.
func build(t testing.TB, name string, source []byte) string {
	t.Helper()
	compiler := foreign.NeedHeader(t, "libotr/proto.h")
	dir := t.TempDir()
	code, program := filepath.Join(dir, name+".c"), filepath.Join(dir, name)
	if err := os.WriteFile(code, source, 0o600); err != nil {
		t.Fatalf("libotr: %v", err)
	}
	foreign.Run(t, patience, exec.Command(compiler, "-Wall", "-Werror", "-o", program, code, "-lotr", "-lgcrypt"))
	return program
}

// read passes the program's lines on until its output ends.
func (p *Peer) read(r io.Reader) {
	defer close(p.lines)
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		p.lines <- append([]byte{}, scanner.Bytes()...)
	}
}

// events reads what the program reports, until it is done with a command.
func (p *Peer) events() []Event {
	p.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	var events []Event
	for {
		select {
		case line, ok := <-p.lines:
			var e Event
			if !ok {
				p.t.Fatalf("libotr: the program ended: %s", p.process.Output())
			}
			if err := json.Unmarshal(line, &e); err != nil {
				p.t.Fatalf("libotr: %v in %q", err, line)
			}
			if e.Event == "done" {
				return events
			}
			events = append(events, e)
		case <-timeout.C:
			p.t.Fatalf("libotr: no answer within %v", patience)
		}
	}
}

// command is one line for the program. Byte slices are written in base64.
type command struct {
	Do       string `json:"do"`
	Message  []byte `json:"message,omitempty"`
	Text     []byte `json:"text,omitempty"`
	Secret   []byte `json:"secret,omitempty"`
	Question []byte `json:"question,omitempty"`
}

func (p *Peer) run(c command) []Event {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	line, err := json.Marshal(c)
	if err == nil {
		_, err = p.stdin.Write(append(line, '\n'))
	}
	if err != nil {
		p.t.Fatalf("libotr: %v; %s", err, p.process.Output())
	}
	return p.events()
}

// Receive gives libotr a message from the other side.
func (p *Peer) Receive(message []byte) []Event {
	p.t.Helper()
	return p.run(command{Do: "receive", Message: message})
}

// Send lets libotr's user say something.
func (p *Peer) Send(text string) []Event {
	p.t.Helper()
	return p.run(command{Do: "send", Text: []byte(text)})
}

// Query lets libotr ask for OTR, with the friendly text that it adds.
func (p *Peer) Query() []Event { p.t.Helper(); return p.run(command{Do: "query"}) }

// End lets libotr end the encrypted conversation.
func (p *Peer) End() []Event { p.t.Helper(); return p.run(command{Do: "end"}) }

// StartSMP lets libotr begin SMP, with a question unless it is empty.
func (p *Peer) StartSMP(question, secret string) []Event {
	p.t.Helper()
	return p.run(command{Do: "smp_start", Question: []byte(question), Secret: []byte(secret)})
}

// AnswerSMP gives libotr's secret after it reported "asked".
func (p *Peer) AnswerSMP(secret string) []Event {
	p.t.Helper()
	return p.run(command{Do: "smp_answer", Secret: []byte(secret)})
}

// AbortSMP lets libotr give up SMP.
func (p *Peer) AbortSMP() []Event { p.t.Helper(); return p.run(command{Do: "smp_abort"}) }

package nat

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/otrchat/otrchat/internal/interop/foreign"
)

const patience = 20 * time.Second

// needNetworks skips the test where no networks can be made.
func needNetworks(t testing.TB) {
	t.Helper()
	for _, program := range []string{"unshare", "nsenter", "ip"} {
		foreign.Need(t, program)
	}
	if os.Getuid() != 0 {
		foreign.Missing(t, "root, who alone may make network namespaces,")
	}
}

// machine is a network namespace with a program in it: the test binary, which reads and writes JSON. It ends with the program.
type machine struct {
	t       testing.TB
	process *foreign.Process
	pid     int
	in      io.Closer
	to      *json.Encoder
	from    *json.Decoder
}

// boot starts one of the programs on a machine that has no network yet.
func boot(t testing.TB, program string) *machine {
	t.Helper()
	self, err := os.Executable()
	fatal(t, err)
	cmd := exec.Command(foreign.Need(t, "unshare"), "--net", "--", "sh", "-c", `echo up >&2; exec "$0"`, self)
	cmd.Env = append(os.Environ(), programVariable+"="+program, "GORACE=atexit_sleep_ms=0")
	in, err := cmd.StdinPipe()
	fatal(t, err)
	out, stdout, err := os.Pipe()
	fatal(t, err)
	t.Cleanup(func() { out.Close() })
	cmd.Stdout = stdout
	m := &machine{t: t, process: foreign.Start(t, cmd), pid: cmd.Process.Pid, in: in, to: json.NewEncoder(in), from: json.NewDecoder(out)}
	stdout.Close()
	if err := m.process.WaitFor("up\n", patience); err != nil && strings.Contains(err.Error(), "Operation not permitted") {
		foreign.Missing(t, "the right to make network namespaces")
	} else {
		fatal(t, err)
	}
	return m
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal("nat: ", err)
	}
}

// tell writes to the machine's program.
func (m *machine) tell(what any) {
	m.t.Helper()
	if err := m.to.Encode(what); err != nil {
		m.t.Fatalf("nat: %v: %s", err, m.process.Output())
	}
}

// hear returns what the machine's program writes next.
func hear[T any](m *machine) (what T) {
	m.t.Helper()
	if err := m.from.Decode(&what); err != nil {
		m.t.Fatalf("nat: %v: %s", err, m.process.Output())
	}
	return what
}

// end tells programs that there is no more, and waits until they have ended well.
func end(machines ...*machine) {
	for _, m := range machines {
		m.in.Close()
	}
	for _, m := range machines {
		m.t.Helper()
		<-m.process.Done()
		if m.process.ExitCode() != 0 {
			m.t.Fatal("nat: ", m.process.Output())
		}
	}
}

// sh runs commands in the machine's network.
func (m *machine) sh(format string, args ...any) {
	m.t.Helper()
	if out, err := m.command(format, args...).CombinedOutput(); err != nil {
		m.t.Fatalf("nat: %s: %v: %s", fmt.Sprintf(format, args...), err, out)
	}
}

func (m *machine) command(format string, args ...any) *exec.Cmd {
	cmd := exec.Command("nsenter", "--net", "--target", strconv.Itoa(m.pid), "--", "sh", "-ec", fmt.Sprintf(format, args...))
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	return cmd
}

//go:build unix

package postgres

import (
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/otrchat/otrchat/internal/interop/foreign"
)

// Server is a running server, which ends with its test.
type Server struct {
	t       testing.TB
	folder  string
	command func(program string, args ...string) *exec.Cmd // as whom the server runs
	server  []string                                       // the program and its arguments
	client  string
	process *foreign.Process
}

// Start makes a database cluster of the test's own and starts a server for it. Settings are such as "log_statement=all".
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	initdb, server, client := need(t, "initdb"), need(t, "postgres"), foreign.Need(t, "psql")
	folder, err := os.MkdirTemp("", "postgres") // a socket's path is short
	ok(t, err)
	t.Cleanup(func() { ok(t, os.RemoveAll(folder)) })
	data, identity := filepath.Join(folder, "data"), unprivileged(t, folder)
	s := &Server{t: t, folder: folder, client: client, server: []string{server, "-D", data, "-k", folder}}
	s.command = func(program string, args ...string) *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: identity}
		return cmd
	}
	foreign.Run(t, time.Minute, s.command(initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"))
	for _, each := range append([]string{"listen_addresses=", "fsync=off"}, settings...) {
		s.server = append(s.server, "-c", each)
	}
	s.start()
	return s
}

func (s *Server) start() {
	s.t.Helper()
	s.process = foreign.Start(s.t, s.command(s.server[0], s.server[1:]...))
	ok(s.t, s.process.WaitFor("ready to accept connections", time.Minute))
}

// Stop ends the server as a shutdown of the machine would: connections break.
func (s *Server) Stop() {
	s.process.Interrupt()
	s.process.Stop()
}

// Restart stops the server and starts it again with the same data.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	s.start()
}

// Socket is the folder that the server's socket is in.
func (s *Server) Socket() string { return s.folder }

// Psql runs commands in the database "postgres" as a role, and returns what psql wrote: values separated by colons, or why it failed.
func (s *Server) Psql(role string, commands ...string) (string, error) {
	args := []string{"-X", "-A", "-t", "-F", ":", "-v", "ON_ERROR_STOP=1", "-h", s.folder, "-U", role, "-d", "postgres"}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	out, err := exec.Command(s.client, args...).CombinedOutput()
	return string(out), err
}

// need looks where Debian puts the programs of the server, too.
func need(t testing.TB, program string) string {
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program); len(found) > 0 {
		return found[len(found)-1]
	}
	return foreign.Need(t, program)
}

// unprivileged gives the folder to somebody who is not root, as whom PostgreSQL would not run.
func unprivileged(t testing.TB, folder string) *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	nobody, err := osuser.Lookup("nobody")
	ok(t, err)
	uid, err := strconv.Atoi(nobody.Uid)
	ok(t, err)
	gid, err := strconv.Atoi(nobody.Gid)
	ok(t, err)
	ok(t, os.Chown(folder, uid, gid))
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("postgres: %v", err)
	}
}

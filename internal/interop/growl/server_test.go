//go:build unix

package growl

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/notify/growl"
)

// query runs a statement on a SQLite database, makes that if there is none, and writes the rows as JSON. It is Python, which is there with Debian's
// python3-potr, to do without a driver for this test.
const query = `
import json, sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=10) as db:
    print(json.dumps(db.execute(sys.argv[2], sys.argv[3:]).fetchall()))
`

// server is growl-for-linux, which runs.
type server struct {
	t      *testing.T
	config string // its folder
	screen string // the file with the memory of its screen
}

// newServer starts growl-for-linux with settings for its database.
func newServer(t *testing.T, settings map[string]string) *server {
	needNetwork(t)
	gol := foreign.Need(t, "gol")
	home := t.TempDir()
	s := &server{t: t, config: filepath.Join(home, ".config", "gol"), screen: filepath.Join(home, "Xvfb_screen0")}
	require.NoError(t, os.MkdirAll(s.config, 0o700))
	s.query("create table config(key text not null primary key, value text not null)")
	for key, value := range settings {
		s.query("insert into config values(?, ?)", key, value)
	}
	cmd := exec.Command(gol)
	cmd.Env = []string{"HOME=" + home, "XDG_CONFIG_HOME=" + filepath.Dir(s.config), "DISPLAY=" + foreign.StartX(t, "-fbdir", home), "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}
	p := foreign.Start(t, cmd)
	n := s.notifier(growl.Options{AppName: "probe", Password: settings["password"]})
	require.Eventually(t, func() bool {
		_, err := n.Name(t.Context())
		if !errors.Is(err, growl.ErrUnavailable) {
			require.NoError(t, err)
		}
		return err == nil
	}, patience, 50*time.Millisecond, "gol wrote: %s", p.Output())
	return s
}

func (s *server) notifier(o growl.Options) *growl.Notifier {
	n, err := growl.New(&o)
	require.NoError(s.t, err)
	return n
}

// query returns the rows that a statement gives.
func (s *server) query(statement string, args ...string) (rows [][]any) {
	s.t.Helper()
	cmd := exec.Command(foreign.Need(s.t, "/usr/bin/python3"), append([]string{"-c", query, filepath.Join(s.config, "config.db"), statement}, args...)...)
	require.NoError(s.t, json.Unmarshal(foreign.Run(s.t, patience, cmd), &rows))
	return rows
}

// pixels counts those of a colour on the screen: red, green, blue.
func (s *server) pixels(colour [3]byte) (n int) {
	screen, err := os.ReadFile(s.screen)
	require.NoError(s.t, err)
	field := func(i int) int { return int(binary.BigEndian.Uint32(screen[4*i:])) } // of the header of an X window dump
	require.Equal(s.t, 32, field(11), "bits of a pixel")
	want := []byte{colour[2], colour[1], colour[0]}
	for data := screen[field(0)+12*field(19):]; len(data) >= 4; data = data[4:] {
		if bytes.Equal(data[:3], want) {
			n++
		}
	}
	return n
}

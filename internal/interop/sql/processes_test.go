//go:build unix

package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/sqlstore"
	"github.com/otrchat/otrchat/internal/interop/foreign"
)

// What a writer process is told by its environment.
const (
	writerDSN     = "SQL_TEST_DSN"
	writerDriver  = "SQL_TEST_DRIVER"
	writerDialect = "SQL_TEST_DIALECT"
	writerRounds  = "SQL_TEST_ROUNDS"
)

const goroutines = 4 // of each writer process

// write adds one to the number in a contact's note, again and again on several goroutines, and says so each time when that is stored.
func write() error {
	dialect, _ := strconv.Atoi(os.Getenv(writerDialect))
	rounds, _ := strconv.Atoi(os.Getenv(writerRounds))
	db, err := sql.Open(os.Getenv(writerDriver), os.Getenv(writerDSN))
	if err != nil {
		return err
	}
	defer db.Close()
	s, err := sqlstore.New(&sqlstore.Options{DB: db, Dialect: sqlstore.Dialect(dialect)})
	if err != nil {
		return err
	}
	errs := make([]error, goroutines)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for round := 0; round < rounds && errs[i] == nil; round++ {
				if _, errs[i] = contacts.Update(context.Background(), s, counter(rounds), increment); errs[i] == nil {
					fmt.Println("stored")
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

const forEver = 1 << 30

// counter is the contact of writers with so many rounds.
func counter(rounds int) string { return fmt.Sprintf("counter%d@example.com", rounds) }

// increment also uses a key for each number, up to 16, so that rows of both tables must fit together.
func increment(c *contacts.Contact) error {
	n, _ := strconv.Atoi(c.Note)
	c.Note = strconv.Itoa(n + 1)
	c.Learn(contacts.Fingerprint{1, byte(n % 16)}, time.Unix(1, 0))
	return nil
}

func count(t *testing.T, s contacts.Store, rounds int) int {
	t.Helper()
	c, err := s.Load(t.Context(), counter(rounds))
	require.NoError(t, err)
	n, err := strconv.Atoi(c.Note)
	require.NoError(t, err)
	require.Len(t, c.Keys, min(n, 16))
	return n
}

type writer struct {
	*foreign.Process
	kill func() error
}

func (d database) writers(t *testing.T, dsn string, rounds int) (all []writer) {
	for range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), writerDSN+"="+dsn, writerDriver+"="+d.driver, fmt.Sprintf("%s=%d", writerDialect, d.dialect), fmt.Sprintf("%s=%d", writerRounds, rounds))
		p := foreign.Start(t, cmd)
		all = append(all, writer{p, func() error { return cmd.Process.Kill() }})
	}
	return all
}

// processes: 16 writers in 4 processes lose nothing, and those that are killed at any moment leave what they were told is stored.
func processes(t *testing.T, d database) {
	dsn := d.dsn(t)
	s := d.store(t, d.open(t, dsn))
	told := 0
	for round := range 5 {
		all := d.writers(t, dsn, forEver)
		for _, w := range all {
			require.NoError(t, w.WaitFor("stored", patience))
		}
		for _, w := range all {
			time.AfterFunc(rand.N(30*time.Millisecond), func() { _ = w.kill() })
		}
		for _, w := range all {
			<-w.Done()
			told += strings.Count(w.Output(), "stored")
		}
		n := count(t, s, forEver)
		require.GreaterOrEqual(t, n, told, "a change was lost that was told to be stored")
		require.LessOrEqual(t, n, told+(round+1)*4*goroutines)
	}
	for _, w := range d.writers(t, dsn, 5) {
		<-w.Done()
		assert.Zero(t, w.ExitCode(), w.Output())
	}
	assert.Equal(t, 4*goroutines*5, count(t, s, 5))
}

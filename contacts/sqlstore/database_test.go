package sqlstore_test

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// database is a driver for database/sql that knows the statements of this package and no others. It keeps its tables in memory, and fails where a test
// wants it to. Real databases are in internal/interop/sql.
type database struct {
	mu     sync.Mutex
	tables tables
	turn   chan struct{}           // holds one token while a transaction is open
	before func(what string) error // if set, its error takes the place of "BEGIN", of a statement, or of "COMMIT"
	after  func(what string) error // the same, but what fails has been done
	torn   *int                    // if set, the connection is lost after as many rows, counted down
}

func newDatabase() *database { return &database{turn: make(chan struct{}, 1)} }

func (d *database) open() *sql.DB { return sql.OpenDB(d) }

func (d *database) Connect(context.Context) (driver.Conn, error) { return &conn{db: d}, nil }
func (d *database) Driver() driver.Driver                        { return nil }

// hook calls before or after.
func (d *database) hook(h *func(string) error, what string) error {
	d.mu.Lock()
	f := *h
	d.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(what)
}

type conn struct {
	db *database
	tx *tables // the tables as the open transaction sees them
}

func (c *conn) Close() error                        { return c.end(false) }
func (c *conn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not needed") }
func (c *conn) Begin() (driver.Tx, error)           { return nil, errors.New("not needed") }
func (c *conn) Commit() error {
	if err := c.db.hook(&c.db.before, "COMMIT"); err != nil {
		return errors.Join(err, c.end(false))
	}
	return errors.Join(c.end(true), c.db.hook(&c.db.after, "COMMIT"))
}
func (c *conn) Rollback() error { return c.end(false) }

func (c *conn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	if err := c.db.hook(&c.db.before, "BEGIN"); err != nil {
		return nil, err
	}
	select {
	case c.db.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, errors.New("canceling statement due to user request")
	}
	c.db.mu.Lock()
	defer c.db.mu.Unlock()
	c.tx = c.db.tables.clone()
	return c, nil
}

// end ends the open transaction, if there is one.
func (c *conn) end(commit bool) error {
	if c.tx == nil {
		return nil
	}
	c.db.mu.Lock()
	defer c.db.mu.Unlock()
	if commit {
		c.db.tables = *c.tx
	}
	c.tx = nil
	<-c.db.turn
	return nil
}

func (c *conn) ExecContext(ctx context.Context, statement string, args []driver.NamedValue) (driver.Result, error) {
	_, err := c.QueryContext(ctx, statement, args)
	return driver.ResultNoRows, err
}

func (c *conn) QueryContext(_ context.Context, statement string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.db.hook(&c.db.before, statement); err != nil {
		return nil, err
	}
	values := make([]driver.Value, len(args))
	for i, a := range args {
		values[i] = a.Value
	}
	c.db.mu.Lock()
	t := &c.db.tables
	if c.tx != nil {
		t = c.tx
	}
	rows, err := t.run(statement, values)
	left := c.db.torn
	c.db.mu.Unlock()
	if err = errors.Join(err, c.db.hook(&c.db.after, statement)); err != nil || left == nil {
		return rows, err
	}
	return &tornRows{rows, left}, nil
}

type name [2]string // owner and address

// tables are what a transaction sees. Values are replaced, never changed.
type tables struct {
	exist    bool
	version  driver.Value // NULL, or the version
	owners   map[string]int64
	contacts map[name][]driver.Value   // address, revision, display_name, policy, note
	keys     map[name][][]driver.Value // fingerprint, first_seen, last_seen, trust, verified_at, unannounced, note
}

func (t *tables) clone() *tables {
	return &tables{t.exist, t.version, maps.Clone(t.owners), maps.Clone(t.contacts), maps.Clone(t.keys)}
}

// run runs a statement; it knows each by what it begins with.
func (t *tables) run(statement string, args []driver.Value) (*rows, error) {
	if !t.exist && strings.Contains(statement, "otrchat_contacts_version") && !strings.HasPrefix(statement, "CREATE") {
		return nil, errors.New("SQL logic error: no such table: otrchat_contacts_version (1)")
	}
	for prefix, f := range map[string]func(*tables, []driver.Value) [][]driver.Value{
		"CREATE TABLE ":                        (*tables).create,
		"INSERT INTO otrchat_contacts_version": (*tables).putVersion,
		"SELECT max(version) FROM":             (*tables).getVersion,
		"INSERT INTO otrchat_owners":           (*tables).lockOwner,
		"SELECT revision":                      (*tables).getRevision,
		"SELECT count(*)":                      (*tables).count,
		"INSERT INTO otrchat_contacts (":       (*tables).putContact,
		"DELETE FROM otrchat_contacts":         (*tables).deleteContact,
		"DELETE FROM otrchat_keys":             (*tables).deleteKeys,
		"INSERT INTO otrchat_keys":             (*tables).putKeys,
		"SELECT v.version, c.address":          (*tables).read,
		"SELECT v.version, o.sequence FROM":    (*tables).getSequence,
		"SELECT v.version, o.sequence, c.":     (*tables).getRevisions,
		"SELECT pg_":                           (*tables).nothing,
		"LOCK TABLE":                           (*tables).nothing,
		"LISTEN":                               (*tables).nothing,
		"ALTER TABLE":                          (*tables).nothing,
	} {
		if strings.HasPrefix(statement, prefix) {
			r := rows(f(t, args))
			return &r, nil
		}
	}
	return nil, errors.New("unknown statement: " + statement)
}

func (t *tables) create([]driver.Value) [][]driver.Value {
	if !t.exist {
		t.exist, t.owners, t.contacts, t.keys = true, map[string]int64{}, map[name][]driver.Value{}, map[name][][]driver.Value{}
	}
	return nil
}

func (t *tables) putVersion(args []driver.Value) [][]driver.Value {
	t.version = args[0]
	return nil
}

func (t *tables) getVersion([]driver.Value) [][]driver.Value { return [][]driver.Value{{t.version}} }

func (t *tables) lockOwner(args []driver.Value) [][]driver.Value {
	owner := args[0].(string)
	t.owners[owner]++
	return [][]driver.Value{{t.owners[owner], t.version}}
}

func nameOf(args []driver.Value) name { return name{args[0].(string), args[1].(string)} }

func (t *tables) getRevision(args []driver.Value) [][]driver.Value {
	if c, ok := t.contacts[nameOf(args)]; ok {
		return [][]driver.Value{{c[1]}}
	}
	return nil
}

func (t *tables) count(args []driver.Value) [][]driver.Value {
	n := int64(0)
	for name := range t.contacts {
		if name[0] == args[0] {
			n++
		}
	}
	return [][]driver.Value{{n}}
}

func (t *tables) putContact(args []driver.Value) [][]driver.Value {
	t.contacts[nameOf(args)] = args[1:]
	return nil
}

func (t *tables) deleteContact(args []driver.Value) [][]driver.Value {
	delete(t.contacts, nameOf(args))
	return nil
}

func (t *tables) deleteKeys(args []driver.Value) [][]driver.Value {
	delete(t.keys, nameOf(args))
	return nil
}

func (t *tables) putKeys(args []driver.Value) [][]driver.Value {
	n := nameOf(args)
	for key := range slices.Chunk(args[2:], 8) {
		t.keys[n] = append(slices.Clone(t.keys[n]), key[1:]) // without the position
	}
	return nil
}

func (t *tables) getSequence(args []driver.Value) [][]driver.Value {
	return [][]driver.Value{{t.version, t.owners[args[0].(string)]}}
}

func (t *tables) getRevisions(args []driver.Value) (all [][]driver.Value) {
	sequence := t.owners[args[0].(string)]
	for n, c := range t.contacts {
		if n[0] == args[0] {
			all = append(all, []driver.Value{t.version, sequence, n[1], c[1]})
		}
	}
	if len(all) == 0 {
		all = [][]driver.Value{{t.version, sequence, nil, nil}}
	}
	return all
}

func (t *tables) nothing([]driver.Value) [][]driver.Value { return nil }

// read is getOne or, with a third argument, getPage.
func (t *tables) read(args []driver.Value) (all [][]driver.Value) {
	one := len(args) == 2
	var found []name
	for n := range t.contacts {
		if n[0] == args[0] && (one && n[1] == args[1] || !one && n[1] > args[1].(string)) {
			found = append(found, n)
		}
	}
	slices.SortFunc(found, func(a, b name) int { return cmp.Compare(a[1], b[1]) })
	if !one {
		found = found[:min(len(found), int(args[2].(int64)))]
	}
	line := func(parts ...[]driver.Value) {
		l := append([]driver.Value{t.version}, slices.Concat(parts...)...)
		all = append(all, append(l, make([]driver.Value, 13-len(l))...))
	}
	for _, n := range found {
		for _, k := range t.keys[n] {
			line(t.contacts[n], k)
		}
		if len(t.keys[n]) == 0 {
			line(t.contacts[n])
		}
	}
	if len(found) == 0 {
		line()
	}
	return all
}

type rows [][]driver.Value

func (r *rows) Columns() []string {
	if len(*r) == 0 {
		return nil
	}
	return make([]string, len((*r)[0]))
}
func (*rows) Close() error { return nil }

func (r *rows) Next(to []driver.Value) error {
	if len(*r) == 0 {
		return io.EOF
	}
	copy(to, (*r)[0])
	*r = (*r)[1:]
	return nil
}

// tornRows are the rows that come before the connection is lost.
type tornRows struct {
	*rows
	left *int
}

func (r *tornRows) Next(to []driver.Value) error {
	if *r.left--; *r.left < 0 {
		return errLost
	}
	return r.rows.Next(to)
}

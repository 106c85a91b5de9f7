package sqlstore

import (
	"database/sql"
	"fmt"
	"strings"
)

// Dialect is the SQL that a database speaks.
type Dialect int

// The dialects.
const (
	SQLite     Dialect = iota + 1 // SQLite 3.35 or newer
	PostgreSQL                    // PostgreSQL 12 or newer
)

func (d Dialect) known() bool { return d == SQLite || d == PostgreSQL }

// translate turns a statement, which is written for PostgreSQL, into the dialect.
func (d Dialect) translate(statement string) string {
	if d == SQLite {
		return toSQLite.Replace(statement)
	}
	return statement
}

var toSQLite = strings.NewReplacer("$", "?", `COLLATE "C"`, "COLLATE BINARY")

// isolation is what the transactions need. In PostgreSQL each statement must see what was committed before it, whatever the default of the server is:
// the owner's row is locked first, and what the other statements read must be newer than that lock. SQLite has one level.
func (d Dialect) isolation() *sql.TxOptions {
	if d == PostgreSQL {
		return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	return nil
}

// The statements. Each is the same in both dialects but for what translate changes.
const (
	getVersion = `SELECT max(version) FROM otrchat_contacts_version`

	// A transaction that changes something begins with lockOwner: from there to its end the owner's other changes wait, so the sequence grows in the
	// order of the commits. In SQLite it makes the transaction a writing one before it has read anything; one that read first could not go on after
	// another's commit.
	lockOwner = `INSERT INTO otrchat_owners (owner, sequence) VALUES ($1, 1)
		ON CONFLICT (owner) DO UPDATE SET sequence = otrchat_owners.sequence + 1
		RETURNING sequence, (SELECT max(version) FROM otrchat_contacts_version)`
	getRevision   = `SELECT revision FROM otrchat_contacts WHERE owner = $1 AND address = $2`
	countContacts = `SELECT count(*) FROM otrchat_contacts WHERE owner = $1`
	putContact    = `INSERT INTO otrchat_contacts (owner, address, revision, display_name, policy, note) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (owner, address) DO UPDATE
		SET revision = excluded.revision, display_name = excluded.display_name, policy = excluded.policy, note = excluded.note`
	deleteContact = `DELETE FROM otrchat_contacts WHERE owner = $1 AND address = $2`
	deleteKeys    = `DELETE FROM otrchat_keys WHERE owner = $1 AND address = $2`
	// Reading is one statement each time, so that a contact and its keys are of the same moment. It yields a row for each key, one for a contact
	// without keys, and one for no contact at all, to bring the version.
	columns = `SELECT v.version, c.address, c.revision, c.display_name, c.policy, c.note,
			k.fingerprint, k.first_seen, k.last_seen, k.trust, k.verified_at, k.unannounced, k.note
		FROM (SELECT max(version) AS version FROM otrchat_contacts_version) v LEFT JOIN `
	joinKeys = ` LEFT JOIN otrchat_keys k ON k.owner = c.owner AND k.address = c.address ORDER BY c.address, k.position`
	getOne   = columns + `otrchat_contacts c ON c.owner = $1 AND c.address = $2` + joinKeys
	getPage  = columns + `(SELECT * FROM otrchat_contacts WHERE owner = $1 AND address > $2 ORDER BY address LIMIT $3) c ON true` + joinKeys

	getSequence = `SELECT v.version, o.sequence FROM (SELECT max(version) AS version FROM otrchat_contacts_version) v LEFT JOIN otrchat_owners o ON o.owner = $1`
	// A row for each contact, or one for none, to bring the version and the sequence of the same moment.
	getRevisions = `SELECT v.version, o.sequence, c.address, c.revision FROM (SELECT max(version) AS version FROM otrchat_contacts_version) v
		LEFT JOIN otrchat_owners o ON o.owner = $1 LEFT JOIN otrchat_contacts c ON c.owner = $1`
)

// putKeys stores n keys of a contact, of which $1 and $2 are the owner and the address.
func putKeys(n int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO otrchat_keys (owner, address, position, fingerprint, first_seen, last_seen, trust, verified_at, unannounced, note) VALUES ")
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("($1, $2")
		for column := range 8 {
			fmt.Fprintf(&b, ", $%d", 3+8*i+column)
		}
		b.WriteString(")")
	}
	return b.String()
}

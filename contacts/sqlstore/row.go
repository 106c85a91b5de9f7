package sqlstore

import (
	"database/sql"
	"errors"
	"time"

	"github.com/otrchat/otrchat/contacts"
)

// RowError is a contact in the database that cannot be used, because somebody else wrote it or changed it. It has been left as it is: what cannot be
// loaded is not saved over either.
type RowError struct {
	Address string // as it stands in the database, so perhaps no address at all
	Err     error  // what is wrong; it holds nothing of the contact
}

// Error tells what is wrong, without the address.
func (e *RowError) Error() string {
	return "sqlstore: a contact in the database cannot be used and was left as it is: " + e.Err.Error()
}

// Unwrap returns Err.
func (e *RowError) Unwrap() error { return e.Err }

var (
	errType     = errors.New("a column has a value of another type")
	errAddress  = errors.New("its address is not in the normal form")
	errRevision = errors.New("its revision is no positive number")
	errKeys     = errors.New("it has too many keys")
)

// row is one row of a query that begins with columns. Each column is NULL where there is no contact, or no key.
type row struct {
	version, revision                            sql.NullInt64
	address, displayName, policy, note           sql.NullString
	fingerprint, trust, keyNote                  sql.NullString
	firstSeen, lastSeen, verifiedAt, unannounced sql.NullInt64
}

// scan reads the row. What the driver says of a value that does not fit would quote it, so its error goes no further.
func (r *row) scan(rows *sql.Rows) error {
	err := rows.Scan(&r.version, &r.address, &r.revision, &r.displayName, &r.policy, &r.note,
		&r.fingerprint, &r.firstSeen, &r.lastSeen, &r.trust, &r.verifiedAt, &r.unannounced, &r.keyNote)
	if err != nil {
		return &RowError{r.address.String, errType}
	}
	return nil
}

// gather makes contacts of rows, which are ordered by address. A contact that cannot be used ends it: what was found before is returned as well.
func gather(rows []row) (found []contacts.Contact, err error) {
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].address == rows[0].address {
			n++
		}
		c, err := contact(rows[:n])
		if err != nil {
			return found, &RowError{rows[0].address.String, err}
		}
		found, rows = append(found, c), rows[n:]
	}
	return found, nil
}

// contact makes a contact of its rows, one for each key, or one alone.
func contact(rows []row) (contacts.Contact, error) {
	r := &rows[0]
	c := contacts.Contact{Address: r.address.String, DisplayName: r.displayName.String, Note: r.note.String, Revision: uint64(r.revision.Int64)}
	if r.revision.Int64 < 1 {
		return c, errRevision
	}
	if err := c.Policy.UnmarshalText([]byte(r.policy.String)); err != nil {
		return c, err
	}
	for i := range rows {
		if !rows[i].fingerprint.Valid {
			continue // no key
		}
		k, err := rows[i].key()
		if err != nil {
			return c, err
		}
		c.Keys = append(c.Keys, k)
	}
	n, err := c.Normalized()
	if err == nil && n.Address != c.Address {
		err = errAddress
	}
	return n, err
}

func (r *row) key() (k contacts.Key, err error) {
	if err := k.Fingerprint.UnmarshalText([]byte(r.fingerprint.String)); err != nil {
		return k, err
	}
	if err := k.Trust.UnmarshalText([]byte(r.trust.String)); err != nil {
		return k, err
	}
	k.FirstSeen, k.LastSeen, k.VerifiedAt, k.Unannounced = toTime(r.firstSeen), toTime(r.lastSeen), toTime(r.verifiedAt), toTime(r.unannounced)
	k.Note = r.keyNote.String
	return k, nil
}

// Times are stored as microseconds since 1970 in UTC, the zero time as NULL.
func toTime(micro sql.NullInt64) time.Time {
	if !micro.Valid {
		return time.Time{}
	}
	return time.UnixMicro(micro.Int64).UTC()
}

func fromTime(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

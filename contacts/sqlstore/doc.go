// Package sqlstore keeps contacts in a database, SQLite or PostgreSQL: a [contacts.Store] for the contacts of many users, for many processes and, with
// PostgreSQL, many machines. It uses database/sql and imports no driver; modernc.org/sqlite and github.com/jackc/pgx/v5/stdlib are those that it is
// tested with. Call [Store.Migrate] once, when the program starts or is installed.
//
// An administrator can read the tables, and change them with care:
//
//   - otrchat_contacts has a row for each contact, otrchat_keys one for each key of a contact, in the order of position;
//   - texts such as 'always' or 'verified-smp' are those of [contacts.Policy] and [contacts.Trust], fingerprints those of [contacts.Fingerprint]'s String;
//   - times are microseconds since 1970 in UTC, NULL for none;
//   - otrchat_owners has the last revision of each owner. Its rows must stay, so that no revision comes twice.
//
// Whoever changes contacts by hand must give them a new revision in the same transaction, as the Store does: increase the owner's sequence first, which
// keeps other changes waiting, and make that the contacts' revision. Otherwise a program may overwrite the change with what it had loaded before, and
// Watch does not tell of it. This revokes a key that has leaked:
//
//	BEGIN;
//	UPDATE otrchat_owners SET sequence = sequence + 1;
//	UPDATE otrchat_contacts SET revision = (SELECT sequence FROM otrchat_owners WHERE otrchat_owners.owner = otrchat_contacts.owner)
//		WHERE EXISTS (SELECT 1 FROM otrchat_keys WHERE otrchat_keys.owner = otrchat_contacts.owner AND otrchat_keys.address = otrchat_contacts.address
//			AND fingerprint = '02000000 00000000 00000000 00000000 00000000');
//	UPDATE otrchat_keys SET trust = 'revoked', verified_at = NULL WHERE fingerprint = '02000000 00000000 00000000 00000000 00000000';
//	COMMIT;
//
// There is no RFC behind the tables; addresses are those of [contacts.Normalize].
//
// # Concurrency
//
// A Store may be used from any number of goroutines, and any number of Stores and processes may use the same tables. The changes of one owner are made
// one after another, those of different owners at the same time where the database can do that (SQLite cannot). A Store runs no goroutine; there is
// nothing to close but the database, which is the caller's.
//
// A call uses one connection and gives it back before it returns; All holds none while the loop runs. So DB.SetMaxOpenConns(1) is enough, and a SQLite
// database in memory needs it. Only a Watch with Options.Listen keeps a connection, which it closes at its end.
//
// # Limits
//
// [contacts.MaxContacts] contacts for each owner, and owners of [MaxOwner] bytes. Load is one statement, a change is a transaction of five or six,
// whose commit waits for the disk: tenths of a millisecond and about a millisecond on a fast one. All reads 50 contacts at a time. Watch asks for one
// number each second, and reads the addresses and revisions of all contacts of the owner when that has changed.
//
// Where another transaction is in its way, a call tries again for 30 seconds, beyond what the driver waits; a context ends it at any time.
//
// SQLite must be 3.35 or newer, and its file on a local disk; with many processes, use its WAL mode. PostgreSQL must be 12 or newer, and its database
// must have the encoding UTF8. A proxy that gives each transaction another connection, such as PgBouncer, is no place to listen through.
//
// # Security
//
// The tables say who talks to whom, and which keys are verified. They are not signed: whoever can write them can mark a key as verified. Options.Owner
// keeps the users of one program apart, not programs: everybody with the rights to the tables can be any owner. Once the tables are made, a role needs
// SELECT, INSERT, UPDATE and DELETE on them, and no more.
//
// What stands in the tables is checked like a peer's text: a contact that cannot be right is a [*RowError]. Data goes to the database as parameters,
// never as part of a statement. Errors hold no address, name, note or key in their text; [RowError] has the address in a field. Notifications between
// Stores hold nothing but a digest of the owner. A file of SQLite gets the rights that the driver gives it: put it into a folder that is the user's
// alone. What is deleted may stay on the disk until the database uses the room again.
package sqlstore

// Package sql has no code of its own. Its tests run contacts/sqlstore against real databases: SQLite through modernc.org/sqlite, PostgreSQL through
// github.com/jackc/pgx/v5; and two Clients of one user over one database. It is a module of its own, so that nobody who uses the library downloads
// these drivers.
//
// # Concurrency
//
// The tests start processes of their own that write to the same database.
//
// # Limits
//
// Tests that need PostgreSQL are skipped on a machine without it, and fail when CI is set.
//
// # Security
//
// The servers listen on a socket in a folder of the test's own, where everybody on the machine may connect as anybody.
package sql

package sqlstore

// AddMigration makes this program know one version more, whose statements are given, until undo is called.
func AddMigration(statements string) (undo func()) {
	before := migrations
	migrations = append(migrations[:len(migrations):len(migrations)], statements)
	return func() { migrations = before }
}

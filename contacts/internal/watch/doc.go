// Package watch tells what changed in a store of contacts, by comparing the revisions of all contacts at one moment with those at the next. So nothing
// is queued, nothing can be lost, however slow whoever listens is, and changes made by other programs are found as well as one's own. It is what the
// stores of this project make their Watch of; see contacts.Watcher, whose contract [Changes] keeps.
//
// # Concurrency
//
// Nothing here starts a goroutine: the loop over Changes does all the work, on the goroutine that it runs on.
//
// # Limits
//
// Each loop keeps the address and the revision of every contact of the store, two of them for a moment.
//
// # Security
//
// Addresses are passed on as the store gives them. Nothing is logged, and errors are the store's.
package watch

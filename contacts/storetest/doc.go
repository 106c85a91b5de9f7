// Package storetest holds a [contacts.Store] to its contract. A store's own test calls [Run]:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) contacts.Store { return mystore.New(t.TempDir()) })
//	}
//
// A store whose contacts are kept where other programs reach them calls [RunShared] as well. The
// contract is that of contacts.Store, and of contacts.Watcher where the store is one; there is no RFC
// behind it.
//
// # Concurrency
//
// The suite's own tests run one after another. Within them the store is used by up to 16 goroutines
// at once; run the suite with -race.
//
// # Limits
//
// Each test opens a store of its own and stores at most a hundred contacts. A Watch has 20 seconds
// to tell of a change and 20 to end.
//
// # Security
//
// The suite covers what trust depends on: no change is lost, no old revision comes back to life, and
// every way to write an address finds the same contact. It cannot tell whether a store keeps its
// data private or safe on the disk.
package storetest

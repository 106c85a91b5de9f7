package storetest

import "time"

// BeHasty makes the suite give a Watch up soon: the broken ones of the tests would take all of the suite's patience.
func BeHasty() { patience = 300 * time.Millisecond }

// Package blink tests contacts/exchange with the file of trusted peers that Blink keeps, written by Python's pickle as Blink writes it: from classes
// of the same names and shape (testdata/trusted.py), since Blink itself is not to be had here.
//
// A test without python3 is skipped, or fails when CI is set.
//
// # Concurrency
//
// The package has tests only.
//
// # Limits
//
// What Blink does with what we write is not tested: it reads pickles alone, and we write none.
//
// # Security
//
// Nothing here runs outside tests.
package blink

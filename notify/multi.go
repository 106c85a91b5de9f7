package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Multi returns a [Notifier] that hands each notification to all of ns at the same time, and
// returns when all have returned. None can hold up another: neither an error, nor a panic, nor a
// notifier that hangs until ctx ends. Errors are joined in the order of ns (see errors.Join), each
// with its place in ns; a panic counts as an error. A nil in ns is passed over.
func Multi(ns ...Notifier) Notifier { return multi(slices.Clone(ns)) }

type multi []Notifier

func (m multi) Notify(ctx context.Context, n Notification) error {
	errs := make([]error, len(m))
	var wg sync.WaitGroup
	for i, each := range m {
		if each == nil {
			continue
		}
		wg.Go(func() {
			if err := try(ctx, each, n); err != nil {
				errs[i] = fmt.Errorf("notify: notifier %d: %w", i, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// PanicError is the error of a notifier that panicked.
type PanicError struct {
	Value any // what it panicked with
}

// Error tells the type of the value, not the value, which may hold anything.
func (e *PanicError) Error() string { return fmt.Sprintf("panic with a %T", e.Value) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

func try(ctx context.Context, to Notifier, n Notification) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{v}
		}
	}()
	return to.Notify(ctx, n)
}

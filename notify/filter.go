package notify

import "context"

// Filter returns a [Notifier] that hands on to to those notifications for which keep is true, and takes the others without an error. It runs keep on the
// goroutine of its caller, so keep must be safe for concurrent use. A nil keep is true for all.
func Filter(to Notifier, keep func(Notification) bool) Notifier {
	return Func(func(ctx context.Context, n Notification) error {
		if to == nil || keep != nil && !keep(n) {
			return nil
		}
		return to.Notify(ctx, n)
	})
}

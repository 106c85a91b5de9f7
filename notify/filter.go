package notify

import "context"

// Filter returns a [Notifier] that hands to notifier only what keep is true for, and drops the rest without an error. It calls keep on its caller's
// goroutine, so keep must be safe for concurrent use. A nil keep is true for everything.
func Filter(notifier Notifier, keep func(Notification) bool) Notifier {
	return Func(func(ctx context.Context, n Notification) error {
		if notifier == nil || keep != nil && !keep(n) {
			return nil
		}
		return notifier.Notify(ctx, n)
	})
}

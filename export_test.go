package otrchat

import "github.com/otrchat/otrchat/notify"

// Tell has a Client notify as its chats do.
func Tell(c *Client, n notify.Notification) { c.notify(n) }

package desktop

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"time"

	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/internal/plain"
)

// Bounds on texts, in bytes.
const (
	maxTitle = 256
	maxBody  = 1 << 10
	maxName  = 256
	maxIcon  = 1 << 10
)

// patience is how long a notification may take, that a desktop starts its notification service for included.
const patience = 30 * time.Second

// Errors.
var (
	// ErrUnavailable: this machine or session has nothing that could show a notification. The text of the error says what was looked for.
	ErrUnavailable = errors.New("desktop: unavailable")
	// ErrClosed: the Notifier was closed. It wraps net.ErrClosed.
	ErrClosed = fmt.Errorf("desktop: closed: %w", net.ErrClosed)
)

// Options are those of a [Notifier].
type Options struct {
	// AppName is the name of the program as its users know it. Required; one line, at most 256 bytes.
	AppName string
	// AppID is what the desktop knows the program by: the name of its .desktop file without the ending (freedesktop.org), its AppUserModelID (Windows, which
	// says "Windows PowerShell" without it). Letters, digits and "._-!", at most 256 bytes. Default: empty, none.
	AppID string
	// Icon is the absolute path of an image (freedesktop.org, Windows), or a name in the icon theme (freedesktop.org). macOS shows none. Default: empty, none.
	Icon string
	// Expire is how long a notification that is not Critical is shown, in whole milliseconds (freedesktop.org). A Critical one stays until the user has
	// seen it. Default: 0, the desktop decides.
	Expire time.Duration
	// Bus is the D-Bus address of the session, with Unix sockets in it (freedesktop.org). Default: empty, the environment variable
	// DBUS_SESSION_BUS_ADDRESS, and without it the file "bus" in XDG_RUNTIME_DIR.
	Bus string
}

var appID = regexp.MustCompile(`^[\w.!-]*$`)

func (o *Options) validate() error {
	switch {
	case o.AppName == "" || o.AppName != plain.Line(o.AppName, maxName):
		return errors.New("desktop: Options.AppName must be one line of text, of at most 256 bytes")
	case len(o.AppID) > maxName || !appID.MatchString(o.AppID):
		return errors.New("desktop: Options.AppID has other characters than letters, digits and \"._-!\", or more than 256")
	case o.Icon != plain.Line(o.Icon, maxIcon):
		return errors.New("desktop: Options.Icon must be one line of text, of at most 1024 bytes")
	case filepath.Base(o.Icon) != o.Icon && o.Icon != "" && !filepath.IsAbs(o.Icon):
		return errors.New("desktop: Options.Icon is neither a name nor an absolute path")
	case o.Expire < 0 || o.Expire.Milliseconds() > math.MaxInt32:
		return errors.New("desktop: Options.Expire must be between 0 and 2^31-1 ms")
	}
	return nil
}

// medium is one way to the screen. It is used by one call at a time.
type medium interface {
	show(ctx context.Context, n notify.Notification) error
	name(ctx context.Context) (string, error)
	close()
}

// Notifier shows notifications on the desktop. It may be used from any number of goroutines.
type Notifier struct {
	to   medium
	turn chan struct{} // full while somebody uses the medium; Close never gives it back

	life  context.Context // ends with Close
	end   context.CancelFunc
	close sync.Once
}

// New makes a Notifier for this system. It looks for nothing yet. The error names the field of o.
func New(o *Options) (*Notifier, error) {
	if o == nil {
		o = &Options{}
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	return newNotifier(mediumOf(runtime.GOOS, *o)), nil
}

func newNotifier(to medium) *Notifier {
	d := &Notifier{to: to, turn: make(chan struct{}, 1)}
	d.life, d.end = context.WithCancel(context.Background())
	return d
}

func mediumOf(goos string, o Options) medium {
	switch goos {
	case "darwin":
		return osascript(o)
	case "windows":
		return powershell(o)
	}
	return &freedesktop{o: o, dial: dialUnix}
}

// Notify shows n and returns when the desktop has taken it, which takes at most 30 seconds. Where the desktop can, n takes the place of what was last
// shown of the same Topic. One notification is shown after the other. Errors: ErrUnavailable,
// ErrClosed, ctx's, an *[Error] of the desktop's, or that of a program or connection that failed.
func (d *Notifier) Notify(ctx context.Context, n notify.Notification) error {
	return d.use(ctx, func(ctx context.Context) error { return d.to.show(ctx, n) })
}

// Name says in words what shows the notifications, such as "dunst 1.9.0 (freedesktop.org notifications 1.2)". Errors are those of Notify.
func (d *Notifier) Name(ctx context.Context) (name string, err error) {
	err = d.use(ctx, func(ctx context.Context) error {
		name, err = d.to.name(ctx)
		return err
	})
	return name, err
}

// use waits for its turn. The context that do gets ends with ctx, with Close, and when patience does.
func (d *Notifier) use(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer context.AfterFunc(d.life, cancel)()
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return d.why(ctx)
	}
	err := do(ctx)
	if err != nil && ctx.Err() != nil {
		return d.why(ctx)
	}
	return err
}

// why says what ended ctx.
func (d *Notifier) why(ctx context.Context) error {
	if d.life.Err() != nil {
		return ErrClosed
	}
	return fmt.Errorf("desktop: %w", ctx.Err())
}

// Close ends what Notify is doing and the connection to the desktop. Some desktops remove the notifications of a program with its connection, so keep the
// Notifier as long as they matter. It is idempotent and safe from any goroutine, and returns nil.
func (d *Notifier) Close() error {
	d.close.Do(func() {
		d.end()
		d.turn <- struct{}{}
		d.to.close()
	})
	return nil
}

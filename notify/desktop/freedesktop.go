package desktop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/internal/plain"
)

const (
	service = "org.freedesktop.Notifications"
	object  = "/org/freedesktop/Notifications"
)

// freedesktop speaks the Desktop Notifications Specification 1.2 of freedesktop.org.
type freedesktop struct {
	o    Options
	dial func(ctx context.Context, socket string) (net.Conn, error)

	bus   *bus   // nil until it is needed, and after it failed
	owner string // the service that shown belongs to, by its unique name on bus
	shown shown
}

func (f *freedesktop) show(ctx context.Context, n notify.Notification) error {
	return f.withBus(ctx, func(b *bus) error { return f.deliver(ctx, b, n) })
}

func (f *freedesktop) name(ctx context.Context) (name string, err error) {
	err = f.withBus(ctx, func(b *bus) error {
		var product, vendor, version, spec string
		err := b.call(ctx, b.conn.Object(service, object), service+".GetServerInformation", nil, &product, &vendor, &version, &spec)
		name = plain.Line(fmt.Sprintf("%s %s (freedesktop.org notifications %s)", plain.Line(product, 80), plain.Line(version, 40), plain.Line(spec, 40)), maxName)
		return absent(err)
	})
	return name, err
}

func (f *freedesktop) close() {
	if f.bus != nil {
		f.bus.close()
	}
	f.bus, f.owner, f.shown = nil, "", nil
}

// withBus gives do a connection. One that was kept may have ended meanwhile, so do may get a second one.
func (f *freedesktop) withBus(ctx context.Context, do func(*bus) error) (err error) {
	for fresh := f.bus == nil; ; fresh = true {
		if f.bus == nil {
			if f.bus, err = f.connect(ctx); err != nil {
				return err
			}
		}
		err = do(f.bus)
		if refused := (*Error)(nil); err == nil || errors.As(err, &refused) || errors.Is(err, ErrUnavailable) {
			return err
		}
		f.close()
		if fresh || ctx.Err() != nil {
			return err
		}
	}
}

// deliver asks first what the service can: that also starts one where the session knows how. What it shows is then for the service that was asked, by its
// unique name: the numbers of notifications are void for another.
func (f *freedesktop) deliver(ctx context.Context, b *bus, n notify.Notification) error {
	var can []string
	if err := b.call(ctx, b.conn.Object(service, object), service+".GetCapabilities", nil, &can); err != nil {
		return absent(err)
	}
	var owner string
	if err := b.call(ctx, b.conn.BusObject(), "org.freedesktop.DBus.GetNameOwner", []any{service}, &owner); err != nil {
		return absent(err)
	}
	if owner != f.owner {
		f.owner, f.shown = owner, nil
	}
	var id uint32
	args := f.arguments(n, slices.Contains(can, "body-markup"))
	if err := b.call(ctx, b.conn.Object(owner, object), service+".Notify", args, &id); err != nil {
		return err
	}
	f.shown.add(n.Topic(), id)
	return nil
}

// absent makes ErrUnavailable of the errors by which the bus says that there is no service, that it went away, and that none could be started.
func absent(err error) error {
	var refused *Error
	if !errors.As(err, &refused) {
		return err
	}
	switch name, _ := strings.CutPrefix(refused.Name, "org.freedesktop.DBus.Error."); {
	case name == "ServiceUnknown", name == "NameHasNoOwner", name == "NoReply", strings.HasPrefix(name, "Spawn."):
		return fmt.Errorf("%w: no %s on the session bus (%s)", ErrUnavailable, service, name)
	}
	return err
}

// arguments are those of org.freedesktop.Notifications.Notify, in its order.
func (f *freedesktop) arguments(n notify.Notification, markup bool) []any {
	body := plain.Text(n.Body, maxBody)
	if markup {
		body = escape.Replace(body)
	}
	hints := map[string]dbus.Variant{"urgency": dbus.MakeVariant(level(n.Urgency)), "category": dbus.MakeVariant(category(n))}
	if f.o.AppID != "" {
		hints["desktop-entry"] = dbus.MakeVariant(f.o.AppID)
	}
	return []any{f.o.AppName, f.shown.id(n.Topic()), icon(f.o.Icon), title(n, f.o.AppName), body, []string{}, hints, f.expire(n)}
}

// escape makes text of what would be markup in a body (chapter "Markup" of the specification).
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// title is never empty, which the specification does not allow.
func title(n notify.Notification, otherwise string) string {
	if t := plain.Line(n.Title, maxTitle); t != "" {
		return t
	}
	return otherwise
}

// level is the urgency of the specification.
func level(u notify.Urgency) byte {
	switch {
	case u <= notify.Low:
		return 0
	case u >= notify.Critical:
		return 2
	}
	return 1
}

// category is the specification's type of the notification.
func category(n notify.Notification) string {
	switch {
	case n.Kind == notify.MessageReceived:
		return "im.received"
	case n.Urgency >= notify.Critical:
		return "im.error"
	}
	return "im"
}

// expire is a time in milliseconds; 0 means never, and -1 that the service decides.
func (f *freedesktop) expire(n notify.Notification) int32 {
	switch ms := f.o.Expire.Milliseconds(); {
	case n.Urgency >= notify.Critical:
		return 0
	case ms > 0:
		return int32(ms)
	}
	return -1
}

// icon is a name or a URI.
func icon(s string) string {
	if !filepath.IsAbs(s) {
		return s
	}
	return fileURI(s)
}

// fileURI is the URI of an absolute path, of Windows too.
func fileURI(path string) string {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed
	}
	return (&url.URL{Scheme: "file", Path: slashed}).String()
}

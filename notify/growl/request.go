package growl

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/otrchat/otrchat/internal/gntp"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/internal/plain"
)

const (
	maxTitle = 256
	maxBody  = 4 << 10
)

// registration announces the program and every kind of notification.
func (g *Notifier) registration() *gntp.Message {
	var kinds []gntp.Section
	for k := notify.Kind(0); kindName(k) != ""; k++ {
		kinds = append(kinds, gntp.Section{{Name: "Notification-Name", Value: kindName(k)}, {Name: "Notification-Enabled", Value: "True"}})
	}
	head := append(g.head(), g.icon("Application-Icon")...)
	head = append(head, gntp.Header{Name: "Notifications-Count", Value: strconv.Itoa(len(kinds))})
	return &gntp.Message{Type: gntp.Register, Sections: append([]gntp.Section{head}, kinds...), Resources: g.resources()}
}

// notification has n shown.
func (g *Notifier) notification(n notify.Notification) *gntp.Message {
	kind := kindName(n.Kind)
	if kind == "" {
		kind = kindName(notify.Other)
	}
	title := plain.Line(n.Title, maxTitle)
	if title == "" {
		title = kind
	}
	head := append(g.head(),
		gntp.Header{Name: "Notification-Name", Value: kind},
		gntp.Header{Name: "Notification-Title", Value: harmless(title, maxTitle)},
		gntp.Header{Name: "Notification-Text", Value: harmless(plain.Text(n.Body, maxBody), maxBody)},
		gntp.Header{Name: "Notification-Priority", Value: strconv.Itoa(priority(n.Urgency))},
		gntp.Header{Name: "Notification-Sticky", Value: map[bool]string{true: "True", false: "False"}[n.Urgency >= notify.Critical]})
	head = append(append(head, g.identity(n)...), g.icon("Notification-Icon")...)
	return &gntp.Message{Type: gntp.Notify, Sections: []gntp.Section{head}, Resources: g.resources()}
}

// head begins each request. The application's name does not stand first: growl-for-linux garbles the first eight bytes of what DES or 3DES has encrypted.
func (g *Notifier) head() gntp.Section {
	return gntp.Section{{Name: "Origin-Software-Name", Value: "otrchat"}, {Name: "Application-Name", Value: g.o.AppName}}
}

// identity makes n replace the last notification of its topic. GNTP has a number of its own for each notification, which the next one
// names; but some servers compare what is named with the last Notification-ID, and others with the last Notification-Coalescing-ID. One number for both
// serves all of them, and needs no memory.
func (g *Notifier) identity(n notify.Notification) gntp.Section {
	topic := n.Topic()
	if topic == "" {
		return gntp.Section{{Name: "Notification-ID", Value: rand.Text()}}
	}
	sum := sha256.Sum256([]byte(topic + g.o.AppName))
	id := hex.EncodeToString(sum[:16])
	return gntp.Section{{Name: "Notification-ID", Value: id}, {Name: "Notification-Coalescing-ID", Value: id}}
}

func (g *Notifier) icon(header string) gntp.Section {
	switch {
	case g.o.IconURL != "":
		return gntp.Section{{Name: header, Value: g.o.IconURL}}
	case len(g.o.Icon) > 0:
		return gntp.Section{{Name: header, Value: gntp.ResourceScheme + g.resources()[0].ID}}
	}
	return nil
}

func (g *Notifier) resources() []gntp.Resource {
	if len(g.o.Icon) == 0 {
		return nil
	}
	sum := sha256.Sum256(g.o.Icon)
	return []gntp.Resource{{ID: hex.EncodeToString(sum[:16]), Data: g.o.Icon}}
}

// harmless keeps a text from being taken for a reference to binary data, for which a server would wait.
func harmless(text string, limit int) string {
	if scheme := strings.TrimSuffix(gntp.ResourceScheme, "//"); len(text) >= len(scheme) && strings.EqualFold(text[:len(scheme)], scheme) {
		return plain.Cut(`"`+text, limit)
	}
	return text
}

// priority is from -2 to 2.
func priority(u notify.Urgency) int {
	switch {
	case u <= notify.Low:
		return -1
	case u >= notify.Critical:
		return 2
	}
	return 0
}

// kindName is the name of a kind in words, or "" for what is none.
func kindName(k notify.Kind) string {
	name, err := k.MarshalText()
	if err != nil {
		return ""
	}
	return string(name)
}

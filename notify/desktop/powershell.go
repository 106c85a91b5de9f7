package desktop

import (
	"encoding/xml"
	"path/filepath"
	"strings"

	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/internal/command"
	"github.com/otrchat/otrchat/notify/internal/plain"
)

// powershell shows toasts on Windows 10 and later, through the Windows PowerShell that comes with it: PowerShell 7 cannot speak to the Windows Runtime.
func powershell(o Options) medium {
	return &program{
		file:  "powershell",
		says:  "Windows toasts",
		args:  command.PowerShellArgs(toastScript),
		input: func(n notify.Notification) string { return toastInput(o, n) },
	}
}

// toastScript reads JSON.
const toastScript = `$n = ConvertFrom-Json $text
[void][Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime]
[void][Windows.UI.Notifications.ToastNotification, Windows.UI.Notifications, ContentType = WindowsRuntime]
[void][Windows.Data.Xml.Dom.XmlDocument, Windows.Data.Xml.Dom.XmlDocument, ContentType = WindowsRuntime]
$document = New-Object Windows.Data.Xml.Dom.XmlDocument
$document.LoadXml($n.toast)
$toast = New-Object Windows.UI.Notifications.ToastNotification $document
if ($n.tag) { $toast.Tag = $n.tag; $toast.Group = $n.group }
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier($n.app).Show($toast)`

// powershellID is the AppUserModelID of Windows PowerShell: without one that is registered Windows shows nothing.
const powershellID = `{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\WindowsPowerShell\v1.0\powershell.exe`

// maxTag is how long a tag may be in older versions of Windows 10.
const maxTag = 16

func toastInput(o Options, n notify.Notification) string {
	fields := map[string]string{"app": o.AppID, "toast": toast(o, n)}
	if o.AppID == "" {
		fields["app"] = powershellID
	}
	if topic := n.Topic(); topic != "" {
		fields["tag"], fields["group"] = topic[:maxTag], "otrchat"
	}
	return command.PowerShellInput(jsonText(fields))
}

// maxToast is how long the XML text of a toast may be: Windows takes 5 KB.
const maxToast = 5000

// toast is the content of a toast in XML. Text that would grow too long by being escaped is cut.
func toast(o Options, n notify.Notification) string {
	for limit := maxBody; ; limit /= 2 {
		text, _ := xml.Marshal(toastOf(o, n, limit)) // strings cannot fail
		if len(text) <= maxToast || limit == 0 {
			return string(text)
		}
	}
}

type toastElement struct {
	XMLName  xml.Name     `xml:"toast"`
	Duration string       `xml:"duration,attr,omitempty"`
	Binding  toastBinding `xml:"visual>binding"`
}

type toastBinding struct {
	Template string      `xml:"template,attr"`
	Texts    []toastText `xml:"text"`
	Image    *toastImage `xml:"image"`
}

type toastText struct {
	Placement string `xml:"placement,attr,omitempty"`
	Text      string `xml:",chardata"`
}

type toastImage struct {
	Placement string `xml:"placement,attr"`
	Source    string `xml:"src,attr"`
}

func toastOf(o Options, n notify.Notification, limit int) toastElement {
	e := toastElement{Binding: toastBinding{Template: "ToastGeneric"}}
	e.Binding.Texts = []toastText{{Text: unbound(title(n, o.AppName))}, {Text: unbound(plain.Text(n.Body, limit))}}
	if o.AppID == "" { // else Windows knows the program's name
		e.Binding.Texts = append(e.Binding.Texts, toastText{"attribution", o.AppName})
	}
	if filepath.IsAbs(o.Icon) {
		e.Binding.Image = &toastImage{"appLogoOverride", fileURI(o.Icon)}
	}
	if n.Urgency >= notify.Critical {
		e.Duration = "long"
	}
	return e
}

// unbound keeps Windows from taking a text such as "{name}" for one that a program gives later, and from showing nothing in its place: it then begins with a
// space of no width.
func unbound(text string) string {
	if strings.HasPrefix(text, "{") {
		return "\u200b" + text
	}
	return text
}

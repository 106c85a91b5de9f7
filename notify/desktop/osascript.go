package desktop

import (
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/internal/plain"
)

// osascript shows notifications on macOS. None can replace another that way; the notification centre stacks them.
func osascript(o Options) medium {
	return &program{
		file: "osascript",
		says: "macOS notifications",
		args: []string{"-l", "JavaScript", "-e", jxa},
		input: func(n notify.Notification) string {
			return jsonText(map[string]string{"app": o.AppName, "title": title(n, o.AppName), "body": plain.Text(n.Body, maxBody)})
		},
	}
}

const jxa = `ObjC.import('Foundation');
const input = $.NSFileHandle.fileHandleWithStandardInput.readDataToEndOfFile;
const n = JSON.parse($.NSString.alloc.initWithDataEncoding(input, $.NSUTF8StringEncoding).js);
const app = Application.currentApplication();
app.includeStandardAdditions = true;
app.displayNotification(n.body, {withTitle: n.app, subtitle: n.title});`

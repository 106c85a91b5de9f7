package command

import (
	"encoding/base64"
	"strings"
)

const prologue = `$ErrorActionPreference = 'Stop'
$text = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String(-join $input))
`

// PowerShellArgs are the arguments by which Windows PowerShell runs a script, which finds its input in $text (see [PowerShellInput]) and fails at its first
// error. The script has a statement on each line and holds no double quote, which the command lines of Windows would need quoted.
func PowerShellArgs(script string) []string {
	return []string{"-NoLogo", "-NoProfile", "-NonInteractive", "-Command", strings.ReplaceAll(prologue+script, "\n", "; ")}
}

// PowerShellInput is text as such a script reads it: a line of base64, because the encoding of what PowerShell reads depends on the machine.
func PowerShellInput(text string) string {
	return base64.StdEncoding.EncodeToString([]byte(text)) + "\n"
}

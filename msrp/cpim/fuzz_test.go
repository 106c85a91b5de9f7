package cpim_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp/cpim"
)

// What Append demands and Parse does not, once more and in another way than in the package.
var (
	anyURI    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9;/?:@&=+$,_.!~*'()\[\]-]|%[0-9A-Fa-f]{2})+$`)
	parameter = regexp.MustCompile(`^([!#-'*+^-` + "`" + `|~A-Za-z0-9-]+)=([^()<>@,;:\\"/\[\]?={} ]+|"(?:[^"\\]|\\[btnr"'\\]|\\u[0-9A-Fa-f]{4})*")(?:;|$)`)
	language  = regexp.MustCompile(`^[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*$`)
	mediaType = regexp.MustCompile(`^[!#-'*+^-` + "`" + `|~A-Za-z0-9.-]+/[!#-'*+^-` + "`" + `|~A-Za-z0-9.-]+ *(?:;|$)`)
)

// strict tells whether a message that was read can be written.
func strict(m *cpim.Message) bool {
	uris := []string{m.From.URI}
	if m.From == (cpim.Address{}) {
		uris = nil
	}
	for _, a := range slices.Concat(m.To, m.CC) {
		uris = append(uris, a.URI)
	}
	for _, ns := range m.NS {
		uris = append(uris, ns.URI)
	}
	if slices.ContainsFunc(uris, func(uri string) bool { return !anyURI.MatchString(uri) }) ||
		slices.ContainsFunc(m.Subjects, func(s cpim.Subject) bool { return strings.HasSuffix(s.Text, " ") }) {
		return false
	}
	for _, name := range m.Require {
		if _, _, ok := m.Resolve(name); !ok {
			return false
		}
	}
	for _, h := range m.Headers {
		if strings.HasSuffix(h.Value, " ") || h.Params != "" && !strictParams(h.Params) {
			return false
		}
	}
	kind, _, _ := strings.Cut(m.ContentType, "/")
	_, subtype, _ := strings.Cut(strings.SplitN(m.ContentType, ";", 2)[0], "/")
	return mediaType.MatchString(m.ContentType) && strings.Trim(kind, ".") != "" && strings.Trim(subtype, ". ") != ""
}

func strictParams(s string) bool {
	for s != "" {
		match := parameter.FindStringSubmatch(s)
		if match == nil || match[1] == "lang" && !language.MatchString(match[2]) {
			return false
		}
		if s = s[len(match[0]):]; s == "" && strings.HasSuffix(match[0], ";") {
			return false
		}
	}
	return true
}

// Whatever Parse reads and the RFC lets us write, Append writes, and that is read back as the same message.
func FuzzParse(f *testing.F) {
	for _, c := range wireCases {
		f.Add([]byte(c.wire))
	}
	for _, c := range badCases {
		f.Add([]byte(c.wire))
	}
	for _, wire := range imdnExamples {
		f.Add([]byte(wire))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		first, err := cpim.Parse(b)
		if err != nil {
			return
		}
		_, _ = first.Decode()
		_, _ = first.Text()
		wire, err := cpim.Append(nil, first)
		if !strict(first) {
			var field *cpim.FieldError
			require.ErrorAs(t, err, &field)
			return
		}
		if err != nil { // escaped and quoted it may have become too long, but nothing else
			require.ErrorIs(t, err, cpim.ErrTooLarge)
			return
		}
		second, err := cpim.Parse(wire)
		require.NoError(t, err)
		require.True(t, first.DateTime.Equal(second.DateTime))
		second.DateTime = first.DateTime
		require.Equal(t, first, second)
	})
}

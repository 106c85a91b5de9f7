package msrp

import (
	"fmt"
	"strings"
)

// checkAcceptTypes looks at SessionOptions.AcceptTypes.
func checkAcceptTypes(types []string) error {
	for _, t := range types {
		major, minor, ok := strings.Cut(mediaType(t), "/")
		if t != "*" && !(ok && validName([]byte(major)) && (minor == "*" || validName([]byte(minor)))) {
			return fmt.Errorf("msrp: SessionOptions.AcceptTypes: %q is no media type", t)
		}
	}
	return nil
}

// accepts tells whether a message of this Content-Type is wanted. Parameters do not count (RFC 4975 section 8.6).
func (s *Session) accepts(contentType string) bool {
	media := mediaType(contentType)
	for _, t := range s.acceptTypes {
		t = mediaType(t)
		prefix, wild := strings.CutSuffix(t, "*")
		if strings.EqualFold(t, media) || wild && len(media) >= len(prefix) && strings.EqualFold(prefix, media[:len(prefix)]) {
			return true
		}
	}
	return len(s.acceptTypes) == 0
}

// mediaType is a Content-Type without its parameters.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.Trim(media, " \t")
}

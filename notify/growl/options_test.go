package growl_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/notify/growl"
)

func TestOptions(t *testing.T) {
	tests := []struct {
		name string
		o    growl.Options
		want string // the beginning of the error, or empty
	}{
		{"default", growl.Options{}, ""},
		{"IPv6", growl.Options{Address: "[::1]:23053"}, ""},
		{"IPv4 in IPv6", growl.Options{Address: "[::ffff:127.0.0.1]:23053"}, ""},
		{"name", growl.Options{Address: "localhost:1"}, ""},
		{"other machine", growl.Options{Address: "192.0.2.1:23053"}, "AllowPlaintext is not set"},
		{"any address", growl.Options{Address: "0.0.0.0:23053"}, "AllowPlaintext is not set"},
		{"name that only begins so", growl.Options{Address: "localhost.example.org:23053"}, "AllowPlaintext is not set"},
		{"other machine without a cipher", growl.Options{Address: "192.0.2.1:23053", Password: "x", Cipher: growl.Unencrypted}, "AllowPlaintext is not set"},
		{"allowed", growl.Options{Address: "192.0.2.1:23053", AllowPlaintext: true}, ""},
		{"allowed without a cipher", growl.Options{Address: "192.0.2.1:23053", Password: "x", Cipher: growl.Unencrypted, AllowPlaintext: true}, ""},
		{"encrypted", growl.Options{Address: "growl.example.org:23053", Password: "x"}, ""},
		{"no port", growl.Options{Address: "127.0.0.1"}, "Address must be"},
		{"port 0", growl.Options{Address: "127.0.0.1:0"}, "Address must be"},
		{"port too large", growl.Options{Address: "127.0.0.1:65536"}, "Address must be"},
		{"port by name", growl.Options{Address: "127.0.0.1:gntp"}, "Address must be"},
		{"no host", growl.Options{Address: ":23053"}, "Address must be"},
		{"two lines", growl.Options{AppName: "a\r\nb"}, "AppName must be"},
		{"long name", growl.Options{AppName: strings.Repeat("x", 257)}, "AppName must be"},
		{"cipher without a password", growl.Options{Cipher: growl.AES}, "Password is missing"},
		{"hash without a password", growl.Options{Hash: growl.MD5}, "Password is missing"},
		{"password that is not UTF-8", growl.Options{Password: "secret\xff"}, "Password must be UTF-8"},
		{"long password", growl.Options{Password: strings.Repeat("x", 1025)}, "Password must be UTF-8"},
		{"unknown hash", growl.Options{Password: "x", Hash: "SHA3"}, "Hash or Options.Cipher: gntp: unknown hash"},
		{"unknown cipher", growl.Options{Password: "x", Cipher: "aes"}, "Hash or Options.Cipher: gntp: unknown cipher"},
		{"hash too short", growl.Options{Password: "x", Hash: growl.MD5}, "Hash or Options.Cipher: gntp: MD5 is too short"},
		{"hash too short for 3DES", growl.Options{Password: "x", Hash: growl.SHA1, Cipher: growl.TripleDES}, "Hash or Options.Cipher: gntp: SHA1 is too short"},
		{"large icon", growl.Options{Icon: make([]byte, 256<<10+1)}, "Icon has more"},
		{"two icons", growl.Options{Icon: []byte("x"), IconURL: "https://example.org/x.png"}, "IconURL is set"},
		{"icon in a file", growl.Options{IconURL: "file:///etc/passwd"}, "IconURL must be"},
		{"icon of no host", growl.Options{IconURL: "https:///x.png"}, "IconURL must be"},
		{"icon that is a resource", growl.Options{IconURL: "x-growl-resource://1"}, "IconURL must be"},
		{"icon of two lines", growl.Options{IconURL: "https://example.org/\r\nx"}, "IconURL must be"},
		{"icon with spaces at the end", growl.Options{IconURL: "https://example.org/ "}, "IconURL must be"},
		{"long icon", growl.Options{IconURL: "https://example.org/" + strings.Repeat("x", 2048)}, "IconURL must be"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.o.AppName == "" {
				tt.o.AppName = "Test"
			}
			n, err := growl.New(&tt.o)
			if tt.want == "" {
				require.NoError(t, err)
				assert.NotNil(t, n)
				return
			}
			require.Error(t, err)
			assert.True(t, strings.HasPrefix(err.Error(), "growl: Options."+tt.want), err)
			assert.NotContains(t, err.Error(), "secret")
			assert.Nil(t, n)
		})
	}
	_, err := growl.New(nil)
	require.ErrorContains(t, err, "Options.AppName")
}

package cpim_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp/cpim"
)

// The examples of RFC 5438 §7.1.1.3, §7.2.1.1 and §7.2.1.2. The RFC forgets the blank line before the MIME headers, which RFC 3862
// §2 demands.
var imdnExamples = []string{
	crlf(`From: Alice <im:alice@example.com>`, `To: Bob <im:bob@example.com>`, `NS: imdn <urn:ietf:params:imdn>`, `imdn.Message-ID: 34jk324j`,
		`DateTime: 2006-04-04T12:16:49-05:00`, `imdn.Disposition-Notification: positive-delivery, negative-delivery`, ``,
		`Content-type: text/plain`, `Content-length: 12`, ``, `Hello World`),
	crlf(`From: Bob <im:bob@example.com>`, `To: Alice <im:alice@example.com>`, `NS: imdn <urn:ietf:params:imdn>`, `imdn.Message-ID: d834jied93rf`, ``,
		`Content-type: message/imdn+xml`, `Content-Disposition: notification`, `Content-length: ...`, ``,
		`<?xml version="1.0" encoding="UTF-8"?>`, `<imdn xmlns="urn:ietf:params:xml:ns:imdn">`, `  <message-id>34jk324j</message-id>`, `</imdn>`),
	crlf(`From: Bob <im:bob@example.com>`, `To: Alice <im:alice@example.com>`, `NS: imdn <urn:ietf:params:imdn>`, `imdn.Message-ID: dfjkleriou432333`, ``,
		`Content-type: message/imdn+xml`, `Content-Disposition: notification`, `Content-length: ...`, ``, `<imdn xmlns="urn:ietf:params:xml:ns:imdn"/>`),
}

func TestRFC5438_7_Examples(t *testing.T) {
	alice := cpim.Address{DisplayName: "Alice", URI: "im:alice@example.com"}
	bob := cpim.Address{DisplayName: "Bob", URI: "im:bob@example.com"}
	ns := []cpim.Namespace{{Prefix: "imdn", URI: cpim.IMDN}}

	request, err := cpim.Parse([]byte(imdnExamples[0]))
	require.NoError(t, err)
	assert.Equal(t, time.Date(2006, 4, 4, 17, 16, 49, 0, time.UTC), request.DateTime.UTC())
	request.DateTime = time.Time{}
	assert.Equal(t, &cpim.Message{
		From: alice, To: []cpim.Address{bob}, NS: ns,
		Headers: []cpim.Header{
			{Name: "imdn.Message-ID", Value: "34jk324j"},
			{Name: "imdn.Disposition-Notification", Value: "positive-delivery, negative-delivery"},
		},
		ContentType:    "text/plain",
		ContentHeaders: []cpim.ContentHeader{{Name: "Content-length", Value: "12"}},
		Body:           []byte("Hello World"),
	}, request)

	for i, id := range []string{1: "d834jied93rf", 2: "dfjkleriou432333"} {
		if id == "" {
			continue
		}
		imdn, err := cpim.Parse([]byte(imdnExamples[i]))
		require.NoError(t, err)
		assert.Equal(t, bob, imdn.From)
		assert.Equal(t, []cpim.Header{{Name: "imdn.Message-ID", Value: id}}, imdn.Headers)
		assert.Equal(t, "message/imdn+xml", imdn.ContentType)
		assert.Contains(t, imdn.ContentHeaders, cpim.ContentHeader{Name: "Content-Disposition", Value: "notification"})
	}
}

// The headers are written as they are read, behind any prefix, and those that come more than once keep their order.
func TestRFC5438_6_Headers(t *testing.T) {
	want := &cpim.Message{
		From: piglet, To: []cpim.Address{eeyore},
		NS: []cpim.Namespace{{Prefix: "receipt", URI: cpim.IMDN}},
		Headers: []cpim.Header{
			{Name: "receipt.Message-ID", Value: "34jk324j"},
			{Name: "receipt.Original-To", Value: "<im:list@example.com>"},
			{Name: "receipt.IMDN-Record-Route", Value: "<im:first@example.com>"},
			{Name: "receipt.IMDN-Record-Route", Value: "<im:second@example.com>"},
		},
		ContentType: "text/plain", Body: []byte("Hello World"),
	}
	wire, err := cpim.Append(nil, want)
	require.NoError(t, err)
	got, err := cpim.Parse(wire)
	require.NoError(t, err)
	assert.Equal(t, want, got)

	id, ok := got.Header(cpim.IMDN, "Message-ID")
	assert.True(t, ok)
	assert.Equal(t, "34jk324j", id)
	var route []string
	for _, h := range got.Headers {
		if namespace, name, _ := got.Resolve(h.Name); namespace == cpim.IMDN && name == "IMDN-Record-Route" {
			route = append(route, h.Value)
		}
	}
	assert.Equal(t, []string{"<im:first@example.com>", "<im:second@example.com>"}, route)
}

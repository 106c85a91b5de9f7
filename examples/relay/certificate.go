package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
)

// certificate is ours, from two PEM files. Connections keep the one that they were made with.
type certificate struct {
	chain, key string // the files
	current    atomic.Pointer[tls.Certificate]
}

// load reads both files. After an error, such as for two that do not fit each other because only one was replaced yet, the old one stays.
func (c *certificate) load() error {
	chain, err := os.ReadFile(c.chain)
	if err != nil {
		return err
	}
	key, err := readPrivate(c.key)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return fmt.Errorf("%s and %s: %w", c.chain, c.key, err)
	}
	c.current.Store(&pair)
	return nil
}

// expiry is the end of its validity as Unix time, or 0 if there is none.
func (c *certificate) expiry() int64 {
	if pair := c.current.Load(); pair != nil {
		return pair.Leaf.NotAfter.Unix()
	}
	return 0
}

// server is for listeners. With authorities a client may show a certificate of theirs, which says that it is a relay (RFC 4976 section 6.3).
func (c *certificate) server(authorities string) (*tls.Config, error) {
	config := &tls.Config{
		MinVersion:                  tls.VersionTLS12,
		GetCertificate:              func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
		DynamicRecordSizingDisabled: true, // AG Projects' software wants one frame in one record
	}
	if authorities == "" {
		return config, nil
	}
	config.ClientAuth, config.ClientCAs = tls.VerifyClientCertIfGiven, x509.NewCertPool()
	return config, appendAuthorities(config.ClientCAs, authorities)
}

// client is for connections to other relays and to clients that listen: the system's roots and authorities tell whether they are who they say.
func (c *certificate) client(authorities string) (*tls.Config, error) {
	config := &tls.Config{
		MinVersion:           tls.VersionTLS12,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
	if authorities == "" {
		return config, nil
	}
	var err error
	if config.RootCAs, err = x509.SystemCertPool(); err != nil {
		return nil, err
	}
	return config, appendAuthorities(config.RootCAs, authorities)
}

func appendAuthorities(pool *x509.CertPool, path string) error {
	text, err := os.ReadFile(path)
	if err == nil && !pool.AppendCertsFromPEM(text) {
		err = errors.New(path + ": no certificate in it")
	}
	return err
}

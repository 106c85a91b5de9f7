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

// server is for listeners. Where other relays are to be known by their certificates, clients are asked for one and may show any, or none (RFC 4976 section 6.1).
func (c *certificate) server(relays bool) *tls.Config {
	config := &tls.Config{
		MinVersion:                  tls.VersionTLS12,
		GetCertificate:              func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
		DynamicRecordSizingDisabled: true, // AG Projects' software wants one frame in one record
	}
	if relays {
		config.ClientAuth = tls.RequestClientCert
	}
	return config
}

// client is for connections to other relays and to clients that listen: the system's roots tell whether they are who they say, and the authorities of
// the file besides.
func (c *certificate) client(authorities string) (config *tls.Config, err error) {
	config = &tls.Config{
		MinVersion:           tls.VersionTLS12,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
	if authorities == "" {
		return config, nil
	}
	if config.RootCAs, err = x509.SystemCertPool(); err != nil {
		return nil, err
	}
	_, err = readAuthorities(authorities, config.RootCAs)
	return config, err
}

// readAuthorities adds the certificates of a PEM file to the pool.
func readAuthorities(path string, pool *x509.CertPool) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err == nil && !pool.AppendCertsFromPEM(text) {
		err = errors.New(path + ": no certificate in it")
	}
	return pool, err
}

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/otrchat/otrchat/msrp/relay"
)

// server is the program at work.
type server struct {
	*options
	log            *slog.Logger
	users          users
	certificate    certificate
	sources        []*source
	reloadFailures atomic.Int64
	relay          *relay.Relay
	listeners      []net.Listener // of the relay
	web            net.Listener   // of metrics and health, or nil
	draining       atomic.Bool
}

// open reads the files and takes the addresses, so that what is wrong is told before the first client comes.
func open(o *options, stderr io.Writer) (*server, error) {
	s := &server{options: o, log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: o.level}))}
	for _, step := range []func() error{s.read, s.bind} {
		if err := step(); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// read loads users and certificate for the first time, and makes the relay.
func (s *server) read() (err error) {
	s.users.path, s.certificate.chain, s.certificate.key = s.usersFile, s.certificateFile, s.keyFile
	s.sources = []*source{{files: []string{s.usersFile}, load: s.users.load}}
	if s.certificateFile != "" {
		s.sources = append(s.sources, &source{files: []string{s.certificateFile, s.keyFile}, load: s.certificate.load})
	}
	for _, source := range s.sources {
		source.changed()
		if err := source.load(); err != nil {
			return err
		}
	}
	o := s.settings
	o.Authenticator, o.AllowTCP, o.Logger = &s.users, s.listenInsecure != "", s.log
	if s.relayAuthorities != "" {
		if o.Relays, err = readAuthorities(s.relayAuthorities, x509.NewCertPool()); err != nil {
			return err
		}
	}
	if s.certificateFile != "" {
		if o.TLS, err = s.certificate.client(s.relayAuthorities); err != nil {
			return err
		}
	}
	s.relay, err = relay.New(&o)
	return err
}

// bind takes the addresses.
func (s *server) bind() error {
	if s.listenTLS != "" {
		l, err := tls.Listen("tcp", s.listenTLS, s.certificate.server(s.relayAuthorities != ""))
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, l)
	}
	if s.listenInsecure != "" {
		l, err := net.Listen("tcp", s.listenInsecure)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, l)
	}
	if s.metrics == "" {
		return nil
	}
	var err error
	s.web, err = net.Listen("tcp", s.metrics)
	return err
}

// serve works until ctx ends, and then drains.
func (s *server) serve(ctx context.Context, hangup <-chan os.Signal) error {
	for _, l := range s.listeners {
		if err := s.relay.Serve(l); err != nil {
			return err
		}
		s.log.Info("listening", "address", l.Addr())
	}
	var helpers sync.WaitGroup
	defer helpers.Wait()
	stop, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	helpers.Go(func() { s.watch(stop, hangup) })
	if s.web != nil {
		site := &http.Server{Handler: s.site(), ReadTimeout: 5 * time.Second, WriteTimeout: time.Minute, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)}
		helpers.Go(func() { _ = site.Serve(s.web) })
		defer site.Close()
		s.log.Info("metrics", "address", s.web.Addr())
	}
	select {
	case <-ctx.Done():
		return s.shutDown()
	case <-s.relay.Done():
		return s.relay.Err()
	}
}

// shutDown takes no new clients, lets those that are there finish, for -drain at most, and ends the relay.
func (s *server) shutDown() error {
	s.draining.Store(true)
	s.log.Info("draining", "for", s.drain)
	ctx, cancel := context.WithTimeout(context.Background(), s.drain)
	defer cancel()
	err := s.relay.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("sessions were cut off")
		return nil
	}
	return err
}

// close gives back what open took.
func (s *server) close() (err error) {
	for _, l := range append(s.listeners, s.web) {
		if l != nil {
			_ = l.Close() // the relay may have closed it
		}
	}
	if s.relay != nil {
		err = s.relay.Close()
	}
	return err
}

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// source is something that is read from files, and again when they change.
type source struct {
	files  []string
	load   func() error // keeps what it had when it fails
	stamps []string     // of the files, before the last load
}

// changed tells whether a file is another than at the last call, also one that has gone or come.
func (s *source) changed() bool {
	var stamps []string
	for _, name := range s.files {
		info, err := os.Stat(name) // follows links: Kubernetes and certbot change those
		if err != nil {
			stamps = append(stamps, err.Error())
			continue
		}
		stamps = append(stamps, fmt.Sprint(info.ModTime().UnixNano(), info.Size(), info.Mode()))
	}
	old := s.stamps
	s.stamps = stamps
	return !slices.Equal(old, stamps)
}

// watch loads what has changed every -reload, and everything on SIGHUP. It returns when ctx ends.
func (s *server) watch(ctx context.Context, hangup <-chan os.Signal) {
	ticker := time.NewTicker(s.reload)
	defer ticker.Stop()
	for {
		all := false
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			all = true
		case <-ticker.C:
		}
		for _, source := range s.sources {
			if source.changed() || all {
				s.again(source)
			}
		}
	}
}

func (s *server) again(source *source) {
	if err := source.load(); err != nil {
		s.reloadFailures.Add(1)
		s.log.Error("not reloaded, what was there stays in use", "error", err)
		return
	}
	s.log.Info("reloaded", "files", source.files)
}

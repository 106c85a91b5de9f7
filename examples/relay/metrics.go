package main

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/otrchat/otrchat/msrp/relay"
)

// site answers /metrics and /healthz.
func (s *server) site() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(s, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if s.draining.Load() {
			http.Error(w, "draining", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// number is what is published under a name.
type number struct {
	*prometheus.Desc
	kind  prometheus.ValueType
	value func(*relay.Stats) float64
}

func gauge[T int | int64](name, help string, value func(*relay.Stats) T) number {
	return number{prometheus.NewDesc("msrp_relay_"+name, help, nil, nil), prometheus.GaugeValue, func(st *relay.Stats) float64 { return float64(value(st)) }}
}

func counter[T int | int64](name, help string, value func(*relay.Stats) T) number {
	n := gauge(name+"_total", help, value)
	n.kind = prometheus.CounterValue
	return n
}

func (s *server) numbers() []number {
	return []number{
		gauge("connections", "Connections, those to next hops included.", func(st *relay.Stats) int { return st.Connections }),
		gauge("unauthenticated_connections", "Connections without a successful request yet.", func(st *relay.Stats) int { return st.Unauthenticated }),
		gauge("sessions", "URIs given out.", func(st *relay.Stats) int { return st.Sessions }),
		gauge("users", "Users who have a URI.", func(st *relay.Stats) int { return st.Users }),
		gauge("queued_bytes", "Bytes that wait to be written, on all connections.", func(st *relay.Stats) int { return st.QueuedBytes }),
		gauge("unanswered_requests", "Requests that were passed on and wait for their response.", func(st *relay.Stats) int { return st.Unanswered }),
		counter("reload_failures", "Times that users or certificate could not be read again.", func(*relay.Stats) int64 { return s.reloadFailures.Load() }),
		gauge("certificate_expiry_seconds", "When the certificate expires, as Unix time; 0 without one.", func(*relay.Stats) int64 { return s.certificate.expiry() }),
		gauge("draining", "1 from SIGTERM on.", func(*relay.Stats) int {
			if s.draining.Load() {
				return 1
			}
			return 0
		}),
	}
}

// Describe tells Prometheus what Collect sends.
func (s *server) Describe(to chan<- *prometheus.Desc) {
	for _, n := range s.numbers() {
		to <- n.Desc
	}
}

// Collect sends the numbers as they are now.
func (s *server) Collect(to chan<- prometheus.Metric) {
	stats := s.relay.Stats()
	for _, n := range s.numbers() {
		to <- prometheus.MustNewConstMetric(n.Desc, n.kind, n.value(&stats))
	}
}

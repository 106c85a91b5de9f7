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
		gauge("connections", "Connections, with those to next hops.", func(st *relay.Stats) int { return st.Connections }),
		gauge("unauthenticated_connections", "Connections without a successful request yet.", func(st *relay.Stats) int { return st.Unauthenticated }),
		gauge("sessions", "URIs given out and valid.", func(st *relay.Stats) int { return st.Sessions }),
		gauge("users", "Users who have a URI.", func(st *relay.Stats) int { return st.Users }),
		gauge("queued_bytes", "Bytes that wait to be written, or to be whole frames, on all connections.", func(st *relay.Stats) int { return st.QueuedBytes }),
		gauge("unanswered_requests", "Requests that were passed on and wait for their response.", func(st *relay.Stats) int { return st.Unanswered }),
		counter("forwarded_requests", "Requests passed on, pieces of long ones counted.", func(st *relay.Stats) int64 { return st.Forwarded }),
		counter("forwarded_bytes", "Their size.", func(st *relay.Stats) int64 { return st.ForwardedBytes }),
		counter("throttled", "Times that a sender had to wait for its rate.", func(st *relay.Stats) int64 { return st.Throttled }),
		counter("full_queues", "Requests refused with 413 because too much waited for their next hop.", func(st *relay.Stats) int64 { return st.QueuesFull }),
		counter("failure_reports", "Failure reports that the relay has made.", func(st *relay.Stats) int64 { return st.Reports }),
		counter("auth_granted", "AUTH requests answered with 200.", func(st *relay.Stats) int64 { return st.AuthGranted }),
		counter("auth_refused", "AUTH requests with wrong credentials, or not allowed.", func(st *relay.Stats) int64 { return st.AuthRefused }),
		counter("refused_connections", "Connections that found no room.", func(st *relay.Stats) int64 { return st.RefusedConnections }),
		counter("evicted_connections", "Connections closed to make room: unauthenticated ones, or the least recently used that are no client's.", func(st *relay.Stats) int64 { return st.Evicted }),
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

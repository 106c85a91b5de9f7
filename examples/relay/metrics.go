package main

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
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

// metric is a number that is published.
type metric struct {
	*prometheus.Desc
	kind  prometheus.ValueType
	value func(*server) float64
}

func gauge(name, help string, value func(*server) float64) metric {
	return metric{prometheus.NewDesc("msrp_relay_"+name, help, nil, nil), prometheus.GaugeValue, value}
}

func counter(name, help string, value func(*server) float64) metric {
	return metric{prometheus.NewDesc("msrp_relay_"+name+"_total", help, nil, nil), prometheus.CounterValue, value}
}

var metrics = []metric{
	counter("reload_failures", "Times that users or certificate could not be read again.", func(s *server) float64 { return float64(s.reloadFailures.Load()) }),
	gauge("certificate_expiry_seconds", "When the certificate expires, as Unix time; 0 without one.", func(s *server) float64 { return s.certificate.expiry() }),
	gauge("draining", "1 from SIGTERM on.", func(s *server) float64 {
		if s.draining.Load() {
			return 1
		}
		return 0
	}),
}

// Describe tells Prometheus what Collect sends.
func (s *server) Describe(to chan<- *prometheus.Desc) {
	for _, m := range metrics {
		to <- m.Desc
	}
}

// Collect sends the metrics as they are now.
func (s *server) Collect(to chan<- prometheus.Metric) {
	for _, m := range metrics {
		to <- prometheus.MustNewConstMetric(m.Desc, m.kind, m.value(s))
	}
}

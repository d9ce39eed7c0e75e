package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// entry is one line of the log.
type entry struct {
	Number     int               `json:"n"`
	At         float64           `json:"at_s"` // since 1970, when the request had been read
	Began      float64           `json:"began_s"`
	Connection int64             `json:"connection"`
	Transport  string            `json:"transport"` // http, grpc
	Path       string            `json:"path"`
	Headers    map[string]string `json:"headers"`
	SentBytes  int               `json:"sent_bytes"` // as sent
	BodyBytes  int               `json:"body_bytes"` // decompressed
	Signal     string            `json:"signal"`
	Items      int               `json:"items"`
	Step       string            `json:"step"`
	Stored     int               `json:"stored"` // items that the answer says are stored
	Trouble    string            `json:"trouble,omitempty"`
	Request    json.RawMessage   `json:"request,omitempty"`

	step step
}

type book struct {
	plan   plan
	bodies string
	mutex  sync.Mutex
	log    *os.File
	n      int
}

func openBook(planPath, logPath, bodies string) (*book, error) {
	file, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if bodies != "" {
		err = os.MkdirAll(bodies, 0o700)
	}
	return &book{plan: plan{path: planPath}, bodies: bodies, log: file}, err
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

func (b *book) write(e *entry) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.n++
	e.Number = b.n
	line, err := json.Marshal(e)
	if err == nil {
		_, err = b.log.Write(append(line, '\n'))
	}
	if err != nil {
		log.Fatal(err)
	}
}

func (b *book) keep(e *entry, body []byte) error {
	if b.bodies == "" {
		return nil
	}
	file, err := os.CreateTemp(b.bodies, fmt.Sprintf("%s-%s-*.body", e.Transport, e.Signal))
	if err != nil {
		return err
	}
	_, err = file.Write(body)
	return errors.Join(err, file.Close())
}

// take reads one request's body, decides on its answer and logs both. What is wrong with the request stands in entry.Trouble.
func (b *book) take(e *entry, sent []byte, encoding, contentType string) {
	e.At, e.SentBytes = seconds(time.Now()), len(sent)
	var err error
	if e.step, err = b.plan.take(); err != nil {
		log.Fatal(err)
	}
	e.Step = e.step.text
	body, err := decompress(sent, encoding)
	if err == nil {
		e.BodyBytes = len(body)
		err = e.decode(body, contentType)
	}
	if err == nil {
		err = b.keep(e, body)
	}
	if err != nil {
		e.Trouble = err.Error()
	}
	e.Stored = e.stored()
	b.write(e)
}

func (e *entry) stored() int {
	switch e.step.verb {
	case "ok", "bare", "gzip", "chunked", "late", "warn", "drip", "big", "goaway-first", "goaway-after", "no-status":
		return e.Items
	case "partial":
		return e.Items - e.step.number(0, 0)
	case "limit", "limit-reset":
		if e.BodyBytes <= e.step.number(0, 0) {
			return e.Items
		}
	case "status":
		if code := e.step.number(0, 0); e.Transport == "http" && code >= 200 && code < 300 {
			return e.Items
		}
	}
	return 0
}

func decompress(sent []byte, encoding string) ([]byte, error) {
	switch encoding {
	case "", "identity":
		return sent, nil
	case "gzip":
		reader, err := gzip.NewReader(bytes.NewReader(sent))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(reader)
	}
	return nil, fmt.Errorf("encoding '%s'", encoding)
}

type request interface {
	UnmarshalProto([]byte) error
	UnmarshalJSON([]byte) error
	MarshalJSON() ([]byte, error)
}

var signals = map[string]struct{ signal, service string }{
	"/v1/traces":  {"traces", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"},
	"/v1/logs":    {"logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export"},
	"/v1/metrics": {"metrics", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"},
}

func signalOf(path string) string {
	if known, ok := signals[path]; ok {
		return known.signal
	}
	for _, known := range signals {
		if path == known.service {
			return known.signal
		}
	}
	// A path of the user's own, as a per-signal endpoint may have.
	return map[string]string{"traces": "traces", "logs": "logs", "metrics": "metrics"}[filepath.Base(path)]
}

func (e *entry) decode(body []byte, contentType string) error {
	var r request
	var count func() int
	e.Signal = signalOf(e.Path)
	switch e.Signal {
	case "traces":
		traces := ptraceotlp.NewExportRequest()
		r, count = traces, func() int { return traces.Traces().SpanCount() }
	case "logs":
		logs := plogotlp.NewExportRequest()
		r, count = logs, func() int { return logs.Logs().LogRecordCount() }
	case "metrics":
		metrics := pmetricotlp.NewExportRequest()
		r, count = metrics, func() int { return metrics.Metrics().DataPointCount() }
	default:
		return fmt.Errorf("path '%s' is of no signal", e.Path)
	}
	var err error
	switch contentType {
	case "application/x-protobuf", "application/grpc", "application/grpc+proto":
		err = r.UnmarshalProto(body)
	case "application/json":
		err = r.UnmarshalJSON(body)
	default:
		return fmt.Errorf("content type '%s'", contentType)
	}
	if err != nil {
		return err
	}
	e.Items = count()
	e.Request, err = r.MarshalJSON()
	return err
}

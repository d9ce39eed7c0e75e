package main

import (
	"bytes"
	"strings"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

type response interface {
	MarshalProto() ([]byte, error)
	MarshalJSON() ([]byte, error)
}

func newResponse(signal string, rejected int64, message string) response {
	switch signal {
	case "logs":
		r := plogotlp.NewExportResponse()
		r.PartialSuccess().SetRejectedLogRecords(rejected)
		r.PartialSuccess().SetErrorMessage(message)
		return r
	case "metrics":
		r := pmetricotlp.NewExportResponse()
		r.PartialSuccess().SetRejectedDataPoints(rejected)
		r.PartialSuccess().SetErrorMessage(message)
		return r
	}
	r := ptraceotlp.NewExportResponse()
	r.PartialSuccess().SetRejectedSpans(rejected)
	r.PartialSuccess().SetErrorMessage(message)
	return r
}

// success is the body of the answer to a request that was taken, as the step shapes it.
func success(e *entry, asJSON bool) ([]byte, error) {
	rejected, message := int64(0), ""
	switch e.step.verb {
	case "bare":
		return nil, nil
	case "warn":
		message = strings.Join(e.step.args, " ")
	case "partial":
		rejected = int64(e.step.number(0, 0))
		message = strings.Join(e.step.args[1:], " ")
	case "big":
		message = strings.Repeat("x", e.step.number(0, 5<<20))
	}
	r := newResponse(e.Signal, rejected, message)
	if asJSON {
		return r.MarshalJSON()
	}
	return r.MarshalProto()
}

// A google.rpc.Status with a RetryInfo of `seconds` (none below 0), written by hand: three small messages.
func rpcStatus(code int, message string, retrySeconds int) []byte {
	status := append([]byte{0x08}, varint(uint64(code))...)
	status = append(status, lengthDelimited(2, []byte(message))...)
	if retrySeconds >= 0 {
		duration := append([]byte{0x08}, varint(uint64(retrySeconds))...)
		any := lengthDelimited(1, []byte("type.googleapis.com/google.rpc.RetryInfo"))
		any = append(any, lengthDelimited(2, lengthDelimited(1, duration))...)
		status = append(status, lengthDelimited(3, any)...)
	}
	return status
}

func varint(n uint64) []byte {
	var out bytes.Buffer
	for ; n >= 0x80; n >>= 7 {
		out.WriteByte(byte(n) | 0x80)
	}
	out.WriteByte(byte(n))
	return out.Bytes()
}

func lengthDelimited(field int, content []byte) []byte {
	out := append([]byte{byte(field<<3 | 2)}, varint(uint64(len(content)))...)
	return append(out, content...)
}

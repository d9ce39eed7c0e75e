package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"
)

type connectionKey struct{}

func serveHTTP(listener net.Listener, b *book) {
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(b, w, r) }),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, connections.Add(1))
		},
	}
	log.Fatal(server.Serve(listener))
}

func handle(b *book, w http.ResponseWriter, r *http.Request) {
	e := &entry{Transport: "http", Path: r.URL.Path, Headers: map[string]string{":method": r.Method, "host": r.Host},
		Began: seconds(time.Now()), Connection: r.Context().Value(connectionKey{}).(int64)}
	for name, values := range r.Header {
		e.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	sent, err := io.ReadAll(r.Body)
	if err != nil { // the client went away: no request
		log.Print(err)
		return
	}
	b.take(e, sent, r.Header.Get("Content-Encoding"), r.Header.Get("Content-Type"))
	if e.Trouble != "" {
		http.Error(w, e.Trouble, http.StatusBadRequest)
		return
	}
	if rude[e.step.verb] {
		beRude(e, w)
		return
	}
	if e.step.verb == "status" {
		answerStatus(e, w)
		return
	}
	if e.step.verb == "limit" && e.Stored == 0 {
		http.Error(w, "request body too large", http.StatusRequestEntityTooLarge)
		return
	}
	answerSuccess(e, w)
}

func asJSON(e *entry) bool { return e.Headers["content-type"] == "application/json" }

func answerSuccess(e *entry, w http.ResponseWriter) {
	body, err := success(e, asJSON(e))
	if err != nil {
		log.Fatal(err)
	}
	if e.step.verb == "late" {
		time.Sleep(time.Duration(e.step.number(0, 1)) * time.Second)
	}
	w.Header().Set("Content-Type", e.Headers["content-type"])
	switch e.step.verb {
	case "gzip":
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		_, _ = writer.Write(body)
		_ = writer.Close()
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	case "chunked":
		for i := range body {
			_, _ = w.Write(body[i : i+1])
			w.(http.Flusher).Flush()
		}
		w.(http.Flusher).Flush()
	default:
		_, _ = w.Write(body)
	}
}

func answerStatus(e *entry, w http.ResponseWriter) {
	if words, ok := e.step.after("retry-after"); ok {
		w.Header().Set("Retry-After", retryAfter(words))
	}
	if words, ok := e.step.after("location"); ok {
		w.Header().Set("Location", words[0])
	}
	code := e.step.number(0, 500)
	body := rpcStatus(0, fmt.Sprintf("the plan says %d", code), -1)
	if asJSON(e) {
		body = fmt.Appendf(nil, `{"code":0,"message":"the plan says %d"}`, code)
	}
	w.Header().Set("Content-Type", e.Headers["content-type"])
	w.WriteHeader(code)
	if code != http.StatusNoContent && code != http.StatusNotModified {
		_, _ = w.Write(body)
	}
}

func retryAfter(words []string) string {
	switch words[0] {
	case "date":
		s := step{args: words}.number(1, 0)
		return time.Now().Add(time.Duration(s) * time.Second).UTC().Format(http.TimeFormat)
	case "text":
		return strings.Join(words[1:], " ")
	}
	return words[0]
}

// Answers that net/http would not give: they take the connection itself.
var rude = map[string]bool{"hang": true, "close": true, "reset": true, "cut": true, "drip": true, "garbage": true}

func beRude(e *entry, w http.ResponseWriter) {
	connection, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	body, err := success(e, asJSON(e))
	if err != nil {
		log.Fatal(err)
	}
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", e.Headers["content-type"], len(body), body)
	switch e.step.verb {
	case "hang":
		waitForClose(buffered.Reader)
	case "reset":
		resetOnClose(connection)
	case "cut":
		_, _ = connection.Write(answer[:len(answer)-len(body)])
	case "drip":
		for i := range answer {
			if _, err := connection.Write(answer[i : i+1]); err != nil {
				return
			}
			time.Sleep(time.Duration(e.step.number(0, 50)) * time.Millisecond)
		}
	case "garbage":
		_, _ = connection.Write(bytes.Repeat([]byte("\x00\xffnot http\r\n"), 64))
	}
}

func waitForClose(reader *bufio.Reader) { _, _ = io.Copy(io.Discard, reader) }

func resetOnClose(connection net.Conn) {
	if wrapped, ok := connection.(interface{ NetConn() net.Conn }); ok { // TLS
		connection = wrapped.NetConn()
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

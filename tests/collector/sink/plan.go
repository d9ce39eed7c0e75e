package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A step says what becomes of one request.
//
//	ok                  success with an empty partial_success, as the Collector answers
//	bare                success with an empty body
//	gzip, chunked       as ok, compressed or in chunks (HTTP)
//	late                as ok, after S seconds                              late S
//	warn                success with a message and nothing rejected         warn TEXT…
//	partial             N items rejected, the others stored                 partial N TEXT…
//	limit               as ok up to N bytes; over it 413, or gRPC 8         limit N
//	limit-reset         as ok up to N bytes; over it the stream is reset without status (gRPC)
//	status              an HTTP status; Retry-After: S seconds, `date S`, or any `text T`     status 503 retry-after 2
//	                    a gRPC status; RetryInfo of S seconds; `late` = after the headers     status 14 retry-info 2 | late
//	hang                the request is read and never answered
//	close               the connection is closed instead of an answer
//	reset               the same by a TCP reset
//	cut                 the connection is closed in the middle of a success
//	drip                a success, one byte each N milliseconds             drip N
//	big                 a success of N bytes                                big N
//	garbage             bytes of no protocol
//	goaway              the stream is refused and the connection given up: not processed (gRPC)
//	goaway-first        the connection is given up, but for what is under way, then as ok: a server that stops gently (gRPC)
//	goaway-after        as ok, and the connection is given up at once (gRPC)
//	rst                 the stream is reset with code N (gRPC)              rst N
//	no-status           as ok, but the stream ends without grpc-status (gRPC)
type step struct {
	text string
	verb string
	args []string
}

func (s step) number(index, otherwise int) int {
	if index >= len(s.args) {
		return otherwise
	}
	n, err := strconv.Atoi(s.args[index])
	if err != nil {
		return otherwise
	}
	return n
}

// after gives the words that follow `word`.
func (s step) after(word string) ([]string, bool) {
	for i, arg := range s.args {
		if arg == word {
			return s.args[i+1:], true
		}
	}
	return nil, false
}

type plan struct {
	path  string
	mutex sync.Mutex
	made  time.Time
	lines []string
	next  int
}

// renew reads the plan again when it was written again.
func (p *plan) renew() error {
	if p.path == "" {
		p.lines = []string{"ok"}
		return nil
	}
	file, err := os.Open(p.path)
	if err != nil {
		return err
	}
	defer file.Close()
	status, err := file.Stat()
	if err != nil || status.ModTime().Equal(p.made) {
		return err
	}
	content, err := io.ReadAll(file)
	p.lines = strings.Split(strings.TrimSpace(string(content)), "\n")
	p.made, p.next = status.ModTime(), 0
	return err
}

func (p *plan) take() (step, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if err := p.renew(); err != nil {
		return step{}, err
	}
	lines := p.lines
	line := lines[min(p.next, len(lines)-1)]
	p.next++
	words := strings.Fields(line)
	if len(words) == 0 {
		return step{}, fmt.Errorf("'%s': expected a step in line %d, found nothing", p.path, p.next)
	}
	return step{text: line, verb: words[0], args: words[1:]}, nil
}

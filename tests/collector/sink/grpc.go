package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const window = 1 << 24 // bytes that a client may send ahead

// grpcConnection speaks HTTP/2 frame by frame: a server made for use would not do what the plans ask for.
type grpcConnection struct {
	number     int64
	connection net.Conn
	book       *book
	framer     *http2.Framer

	mutex   sync.Mutex // guards writing and the members below
	changed *sync.Cond
	block   bytes.Buffer
	encoder *hpack.Encoder
	initial int64 // what a new stream may be sent
	open    int64 // what the connection may be sent
	streams map[uint32]*stream
	closed  bool
}

type stream struct {
	id    uint32
	entry *entry
	body  bytes.Buffer
	open  int64 // bytes that the client is ready for
	reset bool
}

func serveGRPC(listener net.Listener, b *book) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		c := &grpcConnection{number: connections.Add(1), connection: connection, book: b, initial: 65535, open: 65535, streams: map[uint32]*stream{}}
		c.changed = sync.NewCond(&c.mutex)
		c.encoder = hpack.NewEncoder(&c.block)
		go c.serve()
	}
}

func (c *grpcConnection) serve() {
	defer c.close()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c.connection, preface); err != nil || string(preface) != http2.ClientPreface {
		log.Printf("connection %d: no HTTP/2 preface: %v", c.number, err)
		return
	}
	c.framer = http2.NewFramer(c.connection, c.connection)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window},
		http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 20})
	_ = c.framer.WriteWindowUpdate(0, window)
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				log.Printf("connection %d: %v", c.number, err)
			}
			return
		}
		c.take(frame)
	}
}

func (c *grpcConnection) close() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.closed = true
	c.changed.Broadcast()
	_ = c.connection.Close()
}

func (c *grpcConnection) take(frame http2.Frame) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		c.takeSettings(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			_ = c.framer.WritePing(true, f.Data)
		}
	case *http2.WindowUpdateFrame:
		if s := c.streams[f.StreamID]; s != nil {
			s.open += int64(f.Increment)
		} else if f.StreamID == 0 {
			c.open += int64(f.Increment)
		}
		c.changed.Broadcast()
	case *http2.RSTStreamFrame:
		if s := c.streams[f.StreamID]; s != nil {
			s.reset = true
			c.changed.Broadcast()
		}
	case *http2.MetaHeadersFrame:
		c.begin(f)
	case *http2.DataFrame:
		c.takeData(f)
	}
}

func (c *grpcConnection) takeSettings(f *http2.SettingsFrame) {
	if f.IsAck() {
		return
	}
	if size, ok := f.Value(http2.SettingInitialWindowSize); ok {
		for _, s := range c.streams {
			s.open += int64(size) - c.initial
		}
		c.initial = int64(size)
	}
	_ = c.framer.WriteSettingsAck()
}

func (c *grpcConnection) begin(f *http2.MetaHeadersFrame) {
	e := &entry{Transport: "grpc", Began: seconds(time.Now()), Connection: c.number, Headers: map[string]string{}}
	for _, field := range f.Fields {
		e.Headers[field.Name] = field.Value
	}
	e.Path = e.Headers[":path"]
	c.streams[f.StreamID] = &stream{id: f.StreamID, entry: e, open: c.initial}
}

func (c *grpcConnection) takeData(f *http2.DataFrame) {
	s := c.streams[f.StreamID]
	if s == nil {
		return
	}
	s.body.Write(f.Data())
	if n := f.Header().Length; n > 0 {
		_ = c.framer.WriteWindowUpdate(0, n)
		if !f.StreamEnded() {
			_ = c.framer.WriteWindowUpdate(s.id, n)
		}
	}
	if f.StreamEnded() {
		go c.answer(s)
	}
}

// message takes the one length-prefixed message out of a body.
func message(body []byte) (content []byte, compressed bool, err error) {
	if len(body) < 5 {
		return nil, false, fmt.Errorf("%d bytes are no gRPC message", len(body))
	}
	if n := int(binary.BigEndian.Uint32(body[1:5])); n != len(body)-5 {
		return nil, false, fmt.Errorf("message of %d bytes in a body of %d", n, len(body))
	}
	return body[5:], body[0] == 1, nil
}

func (c *grpcConnection) answer(s *stream) {
	e := s.entry
	content, compressed, err := message(s.body.Bytes())
	encoding := ""
	if compressed {
		encoding = e.Headers["grpc-encoding"]
	}
	if err != nil {
		log.Printf("connection %d: %v", c.number, err)
	}
	c.book.take(e, content, encoding, e.Headers["content-type"])
	switch {
	case e.Trouble != "":
		c.trailersOnly(s, 3, e.Trouble, -1)
	case e.step.verb == "limit" && e.Stored == 0:
		c.trailersOnly(s, 8, fmt.Sprintf("grpc: received message larger than max (%d vs. %d)", e.BodyBytes, e.step.number(0, 0)), -1)
	case e.step.verb == "limit-reset" && e.Stored == 0:
		c.resetStream(s, http2.ErrCodeCancel)
	default:
		c.carryOut(s)
	}
}

func (c *grpcConnection) carryOut(s *stream) {
	e := s.entry
	switch e.step.verb {
	case "status":
		c.answerStatus(s)
	case "hang":
	case "close":
		c.close()
	case "reset":
		resetOnClose(c.connection)
		c.close()
	case "garbage":
		_, _ = c.connection.Write(bytes.Repeat([]byte("\x00\xffnot http/2"), 64))
		c.close()
	case "rst":
		c.resetStream(s, http2.ErrCode(e.step.number(0, 7)))
	case "goaway":
		c.goAway(s.id - 2)
		c.close()
	case "cut":
		c.headers(s, false, ":status", "200", "content-type", "application/grpc")
		c.close()
	case "no-status":
		c.answerOK(s, false)
	case "goaway-first":
		c.goAway(1<<31 - 1)
		time.Sleep(50 * time.Millisecond)
		c.answerOK(s, true)
	case "goaway-after":
		c.answerOK(s, true)
		c.goAway(s.id)
	case "late":
		time.Sleep(time.Duration(e.step.number(0, 1)) * time.Second)
		c.answerOK(s, true)
	default:
		c.answerOK(s, true)
	}
}

func (c *grpcConnection) goAway(last uint32) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	_ = c.framer.WriteGoAway(last, http2.ErrCodeNo, nil)
}

func (c *grpcConnection) resetStream(s *stream, code http2.ErrCode) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	_ = c.framer.WriteRSTStream(s.id, code)
}

func (c *grpcConnection) headers(s *stream, end bool, pairs ...string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: c.block.Bytes(), EndHeaders: true, EndStream: end})
}

// data sends what the client is ready for, and waits for more room.
func (c *grpcConnection) data(s *stream, content []byte, pause time.Duration, end bool) {
	for len(content) > 0 || end {
		c.mutex.Lock()
		for len(content) > 0 && min(s.open, c.open) <= 0 && !s.reset && !c.closed {
			c.changed.Wait()
		}
		if s.reset || c.closed {
			c.mutex.Unlock()
			return
		}
		n := min(int64(len(content)), s.open, c.open, 16384)
		if pause > 0 {
			n = min(n, 1)
		}
		last := end && n == int64(len(content))
		err := c.framer.WriteData(s.id, last, content[:n])
		s.open, c.open = s.open-n, c.open-n
		c.mutex.Unlock()
		if err != nil || last {
			return
		}
		content = content[n:]
		time.Sleep(pause)
	}
}

func prefixed(content []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(content))), content...)
}

func (c *grpcConnection) answerOK(s *stream, withStatus bool) {
	body, err := success(s.entry, false)
	if err != nil {
		log.Fatal(err)
	}
	c.headers(s, false, ":status", "200", "content-type", "application/grpc")
	pause := time.Duration(0)
	if s.entry.step.verb == "drip" {
		pause = time.Duration(s.entry.step.number(0, 50)) * time.Millisecond
		// More to drip than an empty answer's seven bytes.
		if body, err = newResponse(s.entry.Signal, 0, strings.Repeat("x", 60)).MarshalProto(); err != nil {
			log.Fatal(err)
		}
	}
	c.data(s, prefixed(body), pause, !withStatus)
	if withStatus {
		c.headers(s, true, "grpc-status", "0", "grpc-message", "")
	}
}

func statusPairs(code int, text string, retrySeconds int) []string {
	pairs := []string{"grpc-status", strconv.Itoa(code), "grpc-message", strings.ReplaceAll(text, " ", "%20")}
	if retrySeconds >= 0 {
		details := base64.RawStdEncoding.EncodeToString(rpcStatus(code, text, retrySeconds))
		pairs = append(pairs, "grpc-status-details-bin", details)
	}
	return pairs
}

func (c *grpcConnection) trailersOnly(s *stream, code int, text string, retrySeconds int) {
	pairs := append([]string{":status", "200", "content-type", "application/grpc"}, statusPairs(code, text, retrySeconds)...)
	c.headers(s, true, pairs...)
}

func (c *grpcConnection) answerStatus(s *stream) {
	code, retrySeconds := s.entry.step.number(0, 2), -1
	if words, ok := s.entry.step.after("retry-info"); ok {
		retrySeconds = step{args: words}.number(0, 0)
	}
	text := fmt.Sprintf("the plan says %d", code)
	if _, late := s.entry.step.after("late"); late {
		c.headers(s, false, ":status", "200", "content-type", "application/grpc")
		c.headers(s, true, statusPairs(code, text, retrySeconds)...)
		return
	}
	c.trailersOnly(s, code, text, retrySeconds)
}

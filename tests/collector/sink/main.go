// sink: an OTLP receiver that misbehaves on request. It takes OTLP over HTTP and over gRPC, answers each request by the next step of a
// plan, and logs each request, decoded, as one JSON line, so that a test can check what was sent when, and what was answered.
//
//	sink --http 127.0.0.1:0 --grpc 127.0.0.1:0 --plan PLAN --log LOG --ready READY [--bodies DIR] [--tls DIR [--certificate KIND]]
//
// READY is written last: "HTTP_PORT GRPC_PORT". The plan is read before each request, and begun anew when it was written anew; its
// steps are lines, of which the last is repeated. See plan.go for the steps. It ends with its parent.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"sync/atomic"

	_ "neuro-preprocess/tests/collector/parent"
)

// One connection has one number in the log, whatever it carries.
var connections atomic.Int64

func listen(address string, config *tls.Config, protocol string) (net.Listener, int) {
	if address == "" {
		return nil, 0
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if config != nil {
		config = config.Clone()
		config.NextProtos = []string{protocol}
		listener = tls.NewListener(listener, config)
	}
	return listener, port
}

func main() {
	log.SetFlags(log.Lmicroseconds)
	httpAddress := flag.String("http", "", "where to take OTLP over HTTP")
	grpcAddress := flag.String("grpc", "", "where to take OTLP over gRPC")
	plan := flag.String("plan", "", "file with the steps")
	logPath := flag.String("log", "", "file for a line per request")
	bodies := flag.String("bodies", "", "folder for the bodies as they were sent, decompressed")
	ready := flag.String("ready", "", "file for the port numbers, once all is ready")
	tlsDir := flag.String("tls", "", "folder for certificates: speak TLS")
	kind := flag.String("certificate", "good", "good, expired, other-name")
	flag.Parse()

	var config *tls.Config
	if *tlsDir != "" {
		var err error
		if config, err = makeCertificates(*tlsDir, *kind); err != nil {
			log.Fatal(err)
		}
		if *logPath == "" { // certificates were all that was asked for
			return
		}
	}
	book, err := openBook(*plan, *logPath, *bodies)
	if err != nil {
		log.Fatal(err)
	}
	httpListener, httpPort := listen(*httpAddress, config, "http/1.1")
	grpcListener, grpcPort := listen(*grpcAddress, config, "h2")
	if httpListener != nil {
		go serveHTTP(httpListener, book)
	}
	if grpcListener != nil {
		go serveGRPC(grpcListener, book)
	}
	ports := fmt.Sprintf("%d %d\n", httpPort, grpcPort)
	if err := os.WriteFile(*ready+".tmp", []byte(ports), 0o600); err != nil {
		log.Fatal(err)
	}
	if err := os.Rename(*ready+".tmp", *ready); err != nil {
		log.Fatal(err)
	}
	select {}
}

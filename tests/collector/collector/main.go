// A small OpenTelemetry Collector from the official modules: the parts that the tests of telemetry need and no others, so that it
// builds in a fraction of the time of a full distribution. It receives OTLP over gRPC and HTTP and writes what it received to a file.
// Its own metrics and traces are off; its log goes to stderr.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/bearertokenauthextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckextension"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry"
	"go.uber.org/zap"

	_ "neuro-preprocess/tests/collector/parent"
)

// Set by the build: the version of the Collector's modules.
var version = "unknown"

type ownTelemetry struct{}

func newLogger(context.Context, telemetry.LoggerSettings, component.Config) (*zap.Logger, component.ShutdownFunc, error) {
	logger, err := zap.NewDevelopment(zap.AddStacktrace(zap.DPanicLevel))
	return logger, nil, err
}

func byType[F component.Factory](factories ...F) map[component.Type]F {
	named := make(map[component.Type]F, len(factories))
	for _, factory := range factories {
		named[factory.Type()] = factory
	}
	return named
}

func factories() (otelcol.Factories, error) {
	return otelcol.Factories{
		Receivers:  byType[receiver.Factory](otlpreceiver.NewFactory()),
		Exporters:  byType[exporter.Factory](fileexporter.NewFactory()),
		Extensions: byType[extension.Factory](bearertokenauthextension.NewFactory(), healthcheckextension.NewFactory()),
		Telemetry: telemetry.NewFactory(func() component.Config { return &ownTelemetry{} },
			telemetry.WithCreateLogger(newLogger)),
	}, nil
}

func main() {
	settings := otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "collector", Description: "OpenTelemetry Collector for tests", Version: version},
		Factories: factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory(), envprovider.NewFactory()},
			DefaultScheme:     "env",
		}},
	}
	if err := otelcol.NewCommand(settings).Execute(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

/*
 * What opentelemetry-cpp takes for what spans.c measures of ours: the same span, the same ten
 * attributes. otel-spans make COUNT            nanoseconds of CPU time a span: the median of nine
 * rounds otel-spans send COUNT ENDPOINT   microseconds of CPU time a span, all threads, sent as
 * OTLP http/protobuf "make" hands its spans to a processor that throws them away.
 */
#include <opentelemetry/exporters/otlp/otlp_http_exporter_factory.h>
#include <opentelemetry/exporters/otlp/otlp_http_exporter_options.h>
#include <opentelemetry/sdk/resource/resource.h>
#include <opentelemetry/sdk/trace/batch_span_processor_factory.h>
#include <opentelemetry/sdk/trace/batch_span_processor_options.h>
#include <opentelemetry/sdk/trace/exporter.h>
#include <opentelemetry/sdk/trace/processor.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

namespace sdk = opentelemetry::sdk;
namespace otlp = opentelemetry::exporter::otlp;
namespace trace = opentelemetry::trace;

/* Spans as the exporter wants them, each into nothing. */
class Discard final : public sdk::trace::SpanProcessor
{
  public:
    explicit Discard(std::unique_ptr<sdk::trace::SpanExporter> exporter)
        : exporter_(std::move(exporter))
    {
    }
    std::unique_ptr<sdk::trace::Recordable> MakeRecordable() noexcept override
    {
        return exporter_->MakeRecordable();
    }
    void OnStart(sdk::trace::Recordable &, const trace::SpanContext &) noexcept override
    {
    }
    void OnEnd(std::unique_ptr<sdk::trace::Recordable> &&) noexcept override
    {
    }
    bool ForceFlush(std::chrono::microseconds) noexcept override
    {
        return true;
    }
    bool Shutdown(std::chrono::microseconds) noexcept override
    {
        return true;
    }

  private:
    std::unique_ptr<sdk::trace::SpanExporter> exporter_;
};

static void one_span(trace::Tracer &tracer, const trace::StartSpanOptions &options, int i)
{
    auto span = tracer.StartSpan("skull_strip", options);

    span->SetAttribute("neuro.stage", "skull_strip");
    span->SetAttribute("bids.participant", "01");
    span->SetAttribute("bids.suffix", "T1w");
    span->SetAttribute("file.size", static_cast<int64_t>(9437184 + i));
    span->SetAttribute("skull_strip.volume", 1356544.0 + i);
    span->SetAttribute("skull_strip.rim", 0.1234567890123 * (i + 1));
    span->SetAttribute("skull_strip.border_level", 0.25);
    span->SetAttribute("skull_strip.restarts", 1.0);
    span->SetAttribute("skull_strip.method", "surface");
    span->SetAttribute("neuro.injected", false);
    span->End();
}

static sdk::resource::Resource resource()
{
    return sdk::resource::Resource::Create({{"service.name", "neuro-preprocess"},
                                            {"host.name", "node17"},
                                            {"host.arch", "amd64"},
                                            {"neuro.dataset.name", "ds000001"},
                                            {"process.pid", static_cast<int64_t>(4711)},
                                            {"slurm.job.id", "4242"}});
}

static double seconds()
{
    timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

static int make(int count)
{
    sdk::trace::TracerProvider provider(
        std::make_unique<Discard>(otlp::OtlpHttpExporterFactory::Create()), resource());
    auto tracer = provider.GetTracer("neuro-preprocess", "0.1.0");
    auto parent = tracer->StartSpan("process_image");
    trace::StartSpanOptions options;
    std::vector<double> ns;

    options.parent = parent->GetContext();
    for (int round = 0; round < 9; round++) {
        double start = seconds();
        for (int i = 0; i < count; i++)
            one_span(*tracer, options, i);
        ns.push_back((seconds() - start) * 1e9 / count);
    }
    std::sort(ns.begin(), ns.end());
    std::printf("make\t%.0f\n", ns[ns.size() / 2]);
    return EXIT_SUCCESS;
}

/* Its queue drops what does not fit: it holds them all. */
static int send(int count, const char *endpoint)
{
    otlp::OtlpHttpExporterOptions http;
    sdk::trace::BatchSpanProcessorOptions batch;
    trace::StartSpanOptions options;

    http.url = std::string(endpoint) + "/v1/traces";
    http.content_type = otlp::HttpRequestContentType::kBinary;
    batch.max_queue_size = static_cast<size_t>(count) + 16;
    double start = seconds();
    {
        auto processor = sdk::trace::BatchSpanProcessorFactory::Create(
            otlp::OtlpHttpExporterFactory::Create(http), batch);
        sdk::trace::TracerProvider provider(std::move(processor), resource());
        auto tracer = provider.GetTracer("neuro-preprocess", "0.1.0");
        auto parent = tracer->StartSpan("process_image");
        options.parent = parent->GetContext();
        for (int i = 0; i < count; i++)
            one_span(*tracer, options, i);
        parent->End();
        provider.ForceFlush();
        provider.Shutdown();
    }
    std::printf("send\t%.3f\n", (seconds() - start) * 1e6 / count);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    int count = argc > 2 ? std::atoi(argv[2]) : 0;

    if (argc == 3 && count > 0 && std::string(argv[1]) == "make")
        return make(count);
    if (argc == 4 && count > 0 && std::string(argv[1]) == "send")
        return send(count, argv[3]);
    std::fprintf(stderr, "usage: otel-spans make COUNT | otel-spans send COUNT ENDPOINT\n");
    return 64;
}

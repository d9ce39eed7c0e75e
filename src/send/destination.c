#include "send/destination.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "codec/sha256.h"
#include "spool/ledger.h"

enum { PORT_GRPC = 4317, PORT_HTTP = 4318, MOST_PORT = 65535 };

static const struct {
    const char *path, *service;
} signals[NP_OTLP_N_SIGNALS] = {
    [NP_OTLP_TRACES] = {"/v1/traces",
                        "/opentelemetry.proto.collector.trace.v1.TraceService/Export"},
    [NP_OTLP_LOGS] = {"/v1/logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export"},
    [NP_OTLP_METRICS] = {"/v1/metrics",
                         "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"},
};

/* URLs. */

void np_send_url_done(struct np_send_url *url)
{
    free(url->scheme);
    free(url->user);
    free(url->host);
    free(url->path);
    free(url->query);
    *url = (struct np_send_url){0};
}

static char *lower(const char *text, size_t n)
{
    char *copy = np_xstrndup(text, n);

    for (char *c = copy; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return copy;
}

/* NULL when an escape is broken or stands for NUL. */
static char *percent_decode(const char *text, size_t n)
{
    NP_AUTO(np_str_done) struct np_str out = {0};

    return np_str_add_percent_decoded(&out, text, n) ? np_str_take(&out) : NULL;
}

/* True for printable ASCII without blanks, which is all that a URL can hold. */
static bool is_url_text(const char *text)
{
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c > '~')
            return false;
    return *text;
}

/* "host", "host:port", "[::1]:port" of `n` bytes. */
static bool parse_host(const char *text, size_t n, struct np_send_url *out)
{
    const char *bracket = text[0] == '[' ? memchr(text, ']', n) : NULL;
    size_t n_host = bracket ? (size_t)(bracket + 1 - text) : strcspn(text, ":/?#");

    if (n_host > n || n_host == 0 || (text[0] == '[' && !bracket))
        return false;
    for (size_t i = 0; i < n_host; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr(bracket ? "[]:.%" : "-._~", text[i]))
            return false;
    out->host = lower(text, n_host);
    if (n_host == n)
        return true;
    if (text[n_host] != ':' || n - n_host > 6)
        return false;
    for (size_t i = n_host + 1; i < n; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        out->port = out->port * 10 + (text[i] - '0');
    }
    return out->port > 0 && out->port <= MOST_PORT;
}

static bool parse_url(const char *text, struct np_send_url *out)
{
    const char *colon = strstr(text, "://");
    bool has_scheme = colon && strcspn(text, "/?#@:") == (size_t)(colon - text) && colon > text;
    const char *authority = has_scheme ? colon + 3 : text;
    size_t n = strcspn(authority, "/?#");
    const char *at = memrchr(authority, '@', n);
    const char *host = at ? at + 1 : authority;
    const char *path = authority + n;
    size_t n_path = strcspn(path, "?#");
    const char *query = path + n_path;

    if (!is_url_text(text))
        return false;
    if (has_scheme)
        out->scheme = lower(text, (size_t)(colon - text));
    if (at) {
        out->user = percent_decode(authority, (size_t)(at - authority));
        if (!out->user)
            return false;
    }
    out->path = np_xstrndup(path, n_path);
    out->query = np_xstrndup(query, *query == '?' ? strcspn(query, "#") : 0);
    return parse_host(host, (size_t)(path - host), out);
}

bool np_send_url_parse(const char *text, struct np_send_url *out)
{
    *out = (struct np_send_url){0};
    bool is_url = parse_url(text, out);
    if (!is_url)
        np_send_url_done(out);
    return is_url;
}

bool np_send_url_is_local(const struct np_send_url *url)
{
    return strcmp(url->host, "localhost") == 0 || strcmp(url->host, "[::1]") == 0 ||
           np_starts_with(url->host, "127.");
}

/* Destinations. */

void np_send_destination_done(struct np_send_destination *destination)
{
    free(destination->url);
    free(destination->user);
    free(destination->shown);
    free(destination->id);
    free(destination->proxy);
    free(destination->proxy_shown);
    np_strings_done(&destination->headers);
    free(destination->ca_certificate);
    free(destination->client_key);
    free(destination->client_certificate);
    *destination = (struct np_send_destination){0};
}

/* A scheme says whether TLS is used. "grpc" and "grpcs", which only the flag takes, say the
 * protocol, too. */
static const struct scheme {
    const char *name;
    bool is_secure, is_grpc;
} schemes[] = {
    {"http", false, false}, {"https", true, false}, {"grpc", false, true}, {"grpcs", true, true}};

static const struct scheme *find_scheme(const struct np_send_url *url,
                                        enum np_send_endpoint_kind kind)
{
    for (size_t i = 0; i < NP_COUNT(schemes); i++)
        if (strcmp(schemes[i].name, url->scheme) == 0 &&
            (kind == NP_SEND_ENDPOINT_FLAG || !schemes[i].is_grpc))
            return &schemes[i];
    return NULL;
}

/* Cut "/v1/traces" and the like off the end: a user who copied a signal's full endpoint means the
 * base. */
static void cut_signal(char *path)
{
    for (size_t i = 0; i < NP_OTLP_N_SIGNALS; i++)
        if (np_ends_with(path, signals[i].path))
            path[strlen(path) - strlen(signals[i].path)] = '\0';
}

static char *requested_path(struct np_send_url *url, enum np_send_endpoint_kind kind,
                            const struct np_send_destination *to)
{
    if (to->protocol == NP_OTLP_GRPC)
        return np_xstrdup(signals[to->signal].service);
    if (kind == NP_SEND_ENDPOINT_SIGNAL)
        return np_xstrdup(*url->path ? url->path : "/");
    size_t n = strlen(url->path);
    while (n > 0 && url->path[n - 1] == '/')
        url->path[--n] = '\0';
    if (kind == NP_SEND_ENDPOINT_FLAG)
        cut_signal(url->path);
    return np_xasprintf("%s%s", url->path, signals[to->signal].path);
}

static enum np_otlp_protocol choose_protocol(const struct np_send_url *url,
                                             const struct scheme *scheme,
                                             enum np_send_endpoint_kind kind, int protocol)
{
    if (scheme && scheme->is_grpc)
        return NP_OTLP_GRPC;
    if (protocol >= 0)
        return (enum np_otlp_protocol)protocol;
    return kind == NP_SEND_ENDPOINT_FLAG && url->port == PORT_GRPC ? NP_OTLP_GRPC
                                                                   : NP_OTLP_HTTP_PROTOBUF;
}

static int default_port(const struct np_send_destination *to, const struct scheme *scheme,
                        bool is_secure)
{
    if (!scheme || scheme->is_grpc)
        return to->protocol == NP_OTLP_GRPC ? PORT_GRPC : PORT_HTTP;
    return is_secure ? 443 : 80;
}

/* The tenant of a server that has several, as "name: value" of the headers for it; "" = none.
 * The caller frees. */
static char *tenant_of(const struct np_strings *headers)
{
    static const char *const names[] = {"x-scope-orgid: ", "accountid: ", "projectid: "};
    struct np_str out = {0};

    for (size_t i = 0; i < NP_COUNT(names); i++)
        for (size_t k = 0; k < headers->n; k++)
            if (np_starts_with(headers->item[k], names[i]))
                np_str_addf(&out, "\n%s", headers->item[k]);
    return np_str_take(&out);
}

/* The id of a destination. A query and the name of a tenant may be secret: they become a digest. */
static char *place_of(const char *url, const char *query, const struct np_strings *headers)
{
    enum { DIGITS = 16 };
    NP_AUTO(np_freep) char *place = np_spool_place(url);
    NP_AUTO(np_freep) char *tenant = tenant_of(headers);
    NP_AUTO(np_freep) char *text = np_xasprintf("%s%s", query, tenant);
    char digest[NP_SHA256_HEX];

    if (!*text)
        return np_xstrdup(place);
    np_sha256_of(text, strlen(text), digest);
    return np_xasprintf("%s #%.*s", place, (int)DIGITS, digest);
}

int np_send_destination_resolve(const char *endpoint, enum np_send_endpoint_kind kind, int protocol,
                                bool is_insecure, struct np_send_destination *out,
                                struct np_error *err)
{
    NP_AUTO(np_send_url_done) struct np_send_url url = {0};

    if (!np_send_url_parse(endpoint, &url))
        return np_error_set(err, NP_EUSAGE, "expected a URL as http://host:4318 or https://host");
    const struct scheme *scheme = url.scheme ? find_scheme(&url, kind) : NULL;
    if (url.scheme && !scheme)
        return np_error_set(err, NP_EUSAGE, "expected http:// or https://, found '%.16s://'",
                            url.scheme);
    enum np_otlp_protocol chosen = choose_protocol(&url, scheme, kind, protocol);
    if (!scheme && kind != NP_SEND_ENDPOINT_FLAG && chosen != NP_OTLP_GRPC)
        return np_error_set(err, NP_EUSAGE, "expected a URL with http:// or https:// in front");
    bool is_secure = scheme ? scheme->is_secure : kind != NP_SEND_ENDPOINT_FLAG && !is_insecure;
    out->protocol = chosen;
    if (!url.port)
        url.port = default_port(out, scheme, is_secure);
    NP_AUTO(np_freep) char *path = requested_path(&url, kind, out);
    NP_AUTO(np_freep)
    char *plain =
        np_xasprintf("%s://%s:%d%s", is_secure ? "https" : "http", url.host, url.port, path);
    const char *query = chosen == NP_OTLP_GRPC ? "" : url.query;
    free(out->url);
    free(out->shown);
    free(out->id);
    free(out->user);
    out->url = np_xasprintf("%s%s", plain, query);
    out->shown = np_xasprintf("%s %s", np_otlp_protocol_name(chosen), plain);
    out->id = place_of(plain, query, &out->headers);
    out->user = url.user;
    url.user = NULL;
    return 0;
}

/* Headers. */

static bool is_token(const char *name)
{
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("!#$%&'*+-.^_`|~", *c))
            return false;
    return *name;
}

static bool is_header_value(const char *value)
{
    for (const char *c = value; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    return true;
}

/* True for headers that the transport itself sets. Another value would break the request. */
static bool is_reserved(const char *name)
{
    static const char *const reserved[] = {"content-type", "content-encoding",  "content-length",
                                           "te",           "transfer-encoding", "expect",
                                           "connection",   "grpc-encoding",     "grpc-timeout"};

    for (size_t i = 0; i < NP_COUNT(reserved); i++)
        if (strcmp(name, reserved[i]) == 0)
            return true;
    return false;
}

static void trim(const char **text, size_t *n)
{
    while (*n > 0 && isspace((unsigned char)**text)) {
        (*text)++;
        (*n)--;
    }
    while (*n > 0 && isspace((unsigned char)(*text)[*n - 1]))
        (*n)--;
}

static bool add_header(const char *pair, size_t n, struct np_strings *out)
{
    const char *equals = memchr(pair, '=', n);

    if (!equals)
        return false;
    const char *name = pair, *value = equals + 1;
    size_t n_name = (size_t)(equals - pair), n_value = n - n_name - 1;
    trim(&name, &n_name);
    trim(&value, &n_value);
    NP_AUTO(np_freep) char *key = lower(name, n_name);
    NP_AUTO(np_freep) char *text = percent_decode(value, n_value);
    if (!text || !is_token(key) || !is_header_value(text) || is_reserved(key))
        return false;
    np_strings_give(out, np_xasprintf("%s: %s", key, text));
    return true;
}

int np_send_headers_parse(const char *list, struct np_strings *out)
{
    int n_unusable = 0;

    for (;;) {
        const char *pair = list;
        size_t n = strcspn(list, ","), n_pair = n;
        trim(&pair, &n_pair);
        if (n_pair > 0)
            n_unusable += !add_header(pair, n_pair, out);
        if (!list[n])
            return n_unusable;
        list += n + 1;
    }
}

#include "send/proxy.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/path.h"
#include "base/str.h"

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value && value[strspn(value, " \t")] ? value + strspn(value, " \t") : NULL;
}

/* no_proxy. */

/* "10.0.0.0/8" of `n` bytes. */
static bool is_in_network(const char *network, size_t n, const char *host)
{
    enum { BITS = 32 };
    char text[32];
    struct in_addr of_network, of_host;
    char *rest = NULL;

    if (n >= sizeof(text) || inet_pton(AF_INET, host, &of_host) != 1)
        return false;
    memcpy(text, network, n);
    text[n] = '\0';
    char *slash = strchr(text, '/');
    if (!slash)
        return false;
    *slash = '\0';
    long bits = strtol(slash + 1, &rest, 10);
    if (rest == slash + 1 || *rest || bits < 0 || bits > BITS ||
        inet_pton(AF_INET, text, &of_network) != 1)
        return false;
    uint32_t mask = bits == 0 ? 0 : UINT32_MAX << (BITS - bits);
    return ((ntohl(of_network.s_addr) ^ ntohl(of_host.s_addr)) & mask) == 0;
}

/* One word of the list, of `n` bytes. */
static bool names(const char *word, size_t n, const char *host)
{
    size_t n_host = strlen(host);

    if (n == 1 && *word == '*')
        return true;
    if (is_in_network(word, n, host))
        return true;
    if (n > 0 && *word == '.') {
        word++;
        n--;
    }
    while (n > 0 && word[n - 1] == '.')
        n--;
    if (n == 0 || n > n_host || strncasecmp(host + n_host - n, word, n) != 0)
        return false;
    return n == n_host || host[n_host - n - 1] == '.';
}

bool np_send_no_proxy_names(const char *list, const char *host)
{
    for (;;) {
        list += strspn(list, ", \t");
        size_t n = strcspn(list, ", \t");
        if (n == 0)
            return false;
        if (names(list, n, host))
            return true;
        list += n;
    }
}

/* This host. */

static bool is_own_name(const char *host)
{
    const char *own = np_host_name();
    size_t n_short = strcspn(own, ".");

    return strcasecmp(host, own) == 0 ||
           (strlen(host) == n_short && strncasecmp(host, own, n_short) == 0) ||
           np_ends_with(host, ".localhost");
}

/* An address of one of this host's interfaces; IPv6 in brackets. */
static bool is_own_address(const char *host)
{
    struct ifaddrs *all = NULL;
    bool is_own = false;

    if (!(strspn(host, "0123456789.") == strlen(host) || *host == '[') || getifaddrs(&all) != 0)
        return false;
    for (const struct ifaddrs *one = all; one && !is_own; one = one->ifa_next) {
        char address[INET6_ADDRSTRLEN] = "", text[INET6_ADDRSTRLEN + 2] = "";
        if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET) {
            const struct sockaddr_in *ip4 = (const void *)one->ifa_addr;
            inet_ntop(AF_INET, &ip4->sin_addr, text, sizeof(text));
        } else if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET6) {
            const struct sockaddr_in6 *ip6 = (const void *)one->ifa_addr;
            inet_ntop(AF_INET6, &ip6->sin6_addr, address, sizeof(address));
            snprintf(text, sizeof(text), "[%s]", address);
        }
        is_own = strcasecmp(text, host) == 0;
    }
    freeifaddrs(all);
    return is_own;
}

static bool is_this_host(const struct np_send_url *url)
{
    return np_send_url_is_local(url) || is_own_name(url->host) || is_own_address(url->host);
}

/* The choice. */

char *np_send_proxy_for(const struct np_send_url *url, const char **name)
{
    static const char *const of_http[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
    static const char *const of_https[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    bool is_https = strcmp(url->scheme, "https") == 0;
    const char *const *variables = is_https ? of_https : of_http;
    size_t n = is_https ? NP_COUNT(of_https) : NP_COUNT(of_http);
    const char *no_proxy = variable("no_proxy") ? variable("no_proxy") : variable("NO_PROXY");

    for (size_t i = 0; i < n; i++) {
        const char *proxy = variable(variables[i]);
        if (!proxy)
            continue;
        if (is_this_host(url) || (no_proxy && np_send_no_proxy_names(no_proxy, url->host)))
            return NULL;
        *name = variables[i];
        return np_xstrndup(proxy, strcspn(proxy, " \t\r\n"));
    }
    return NULL;
}

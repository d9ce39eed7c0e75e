#include "send/proxy.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
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

static bool is_ip4_here(const struct in_addr *ip4, const struct ifaddrs *all)
{
    uint32_t address = ntohl(ip4->s_addr);

    if (address >> 24 == IN_LOOPBACKNET || address == INADDR_ANY)
        return true;
    for (const struct ifaddrs *one = all; one; one = one->ifa_next) {
        const struct sockaddr_in *own = (const void *)one->ifa_addr;
        if (own && own->sin_family == AF_INET && own->sin_addr.s_addr == ip4->s_addr)
            return true;
    }
    return false;
}

static bool is_ip6_here(const struct in6_addr *ip6, const struct ifaddrs *all)
{
    struct in_addr ip4;

    if (IN6_IS_ADDR_LOOPBACK(ip6) || IN6_IS_ADDR_UNSPECIFIED(ip6))
        return true;
    memcpy(&ip4, &ip6->s6_addr[12], sizeof(ip4));
    if (IN6_IS_ADDR_V4MAPPED(ip6))
        return is_ip4_here(&ip4, all);
    for (const struct ifaddrs *one = all; one; one = one->ifa_next) {
        const struct sockaddr_in6 *own = (const void *)one->ifa_addr;
        if (own && own->sin6_family == AF_INET6 && IN6_ARE_ADDR_EQUAL(&own->sin6_addr, ip6))
            return true;
    }
    return false;
}

/* An address in numbers, as "127.1" or "::1", without brackets, at which this host is reached. */
static bool is_own_address(const char *text, const struct ifaddrs *all)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *found = NULL;
    bool is_own = false;

    if (getaddrinfo(text, NULL, &hints, &found) != 0)
        return false;
    if (found->ai_family == AF_INET)
        is_own =
            is_ip4_here(&((const struct sockaddr_in *)(const void *)found->ai_addr)->sin_addr, all);
    else if (found->ai_family == AF_INET6)
        is_own = is_ip6_here(
            &((const struct sockaddr_in6 *)(const void *)found->ai_addr)->sin6_addr, all);
    freeaddrinfo(found);
    return is_own;
}

/* A line of /etc/hosts, which is cut: an address and its names. */
static bool gives_own_address(char *line, const char *host, const struct ifaddrs *all)
{
    char *rest = NULL;

    line[strcspn(line, "#\n")] = '\0';
    const char *address = strtok_r(line, " \t\r", &rest);
    for (const char *name = address; name; name = strtok_r(NULL, " \t\r", &rest))
        if (name != address && strcasecmp(name, host) == 0)
            return is_own_address(address, all);
    return false;
}

/* No name server is asked: it may be silent. */
static bool is_own_in_hosts_file(const char *host, const struct ifaddrs *all)
{
    FILE *file = fopen("/etc/hosts", "re");
    char *line = NULL;
    size_t size = 0;
    bool is_own = false;

    if (!file)
        return false;
    while (!is_own && getline(&line, &size, file) >= 0)
        is_own = gives_own_address(line, host, all);
    free(line);
    fclose(file);
    return is_own;
}

static bool is_own_name(const char *host)
{
    const char *own = np_host_name();
    size_t n_short = strcspn(own, ".");

    return strcasecmp(host, own) == 0 || strcasecmp(host, "localhost") == 0 ||
           (strlen(host) == n_short && strncasecmp(host, own, n_short) == 0) ||
           np_ends_with(host, ".localhost");
}

/* The host of a URL without the brackets of an IPv6 address and the dot that ends a full name; the
 * caller frees. */
static char *bare_host(const char *host)
{
    size_t n = strlen(host);

    if (n > 2 && *host == '[')
        return np_xstrndup(host + 1, n - 2);
    return np_xstrndup(host, n > 1 && host[n - 1] == '.' ? n - 1 : n);
}

static bool is_this_host(const struct np_send_url *url)
{
    NP_AUTO(np_freep) char *host = bare_host(url->host);
    struct ifaddrs *all = NULL;

    if (np_send_url_is_local(url) || is_own_name(host))
        return true;
    if (getifaddrs(&all) != 0)
        all = NULL;
    bool is_own = is_own_address(host, all) || is_own_in_hosts_file(host, all);
    freeifaddrs(all);
    return is_own;
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

#include "spool/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "spool/append.h"
#include "spool/inside.h"
#include "spool/ranges.h"

/* The largest size of each set. */
struct limits {
    size_t accounts, ranges;
};

/* Our ledgers have a few destinations and one growing range for each signal. Lines of a file beyond
 * these limits were not written by us: they are ignored, and their ranges count as not sent. */
static const struct limits of_a_file = {256, 4096};

/* Notes of this process are all remembered, however much the file holds: otherwise the same batch
 * would be sent for ever. */
static const struct limits of_our_own = {SIZE_MAX, SIZE_MAX};

/* One signal at one destination. */
struct account {
    char *destination; /* its id; of a line of an earlier version, the place */
    bool is_place;     /* of an earlier version: whatever the query and the tenant */
    enum np_otlp_signal signal;
    struct np_spool_ranges accepted, dropped;
    struct np_spool_range pending; /* to 0 = none */
    int64_t n_accepted, n_rejected;
};

struct np_spool_ledger {
    char *path;
    char *record_path;
    int fd; /* -1: to look at only */
    bool is_torn;
    int64_t largest_to; /* the furthest end of any range noted */
    struct account *account;
    size_t n_accounts;
};

char *np_spool_place(const char *url)
{
    static const char *const names[] = {"localhost:", "[::1]:"};
    const char *scheme = strstr(url, "://"), *host = scheme ? scheme + 3 : url;

    for (size_t i = 0; i < NP_COUNT(names); i++)
        if (np_starts_with(host, names[i]))
            return np_xasprintf("127.0.0.1:%s", host + strlen(names[i]));
    return np_xstrdup(host);
}

/* True when what an account says counts for `destination`. */
static bool is_here(const struct account *account, const char *destination)
{
    size_t n = strlen(account->destination);

    return strncmp(account->destination, destination, n) == 0 &&
           (destination[n] == '\0' || (account->is_place && destination[n] == ' '));
}

static struct account *find_account(const struct np_spool_ledger *ledger, const char *destination,
                                    bool is_place, enum np_otlp_signal signal)
{
    for (size_t i = 0; i < ledger->n_accounts; i++)
        if (ledger->account[i].signal == signal && ledger->account[i].is_place == is_place &&
            strcmp(ledger->account[i].destination, destination) == 0)
            return &ledger->account[i];
    return NULL;
}

/* The URL in a destination of an earlier version, "<protocol> <URL>"; NULL in an id. Its path may
 * hold a URL, too, but no space. */
static const char *earlier_url(const char *noted)
{
    const char *space = strchr(noted, ' ');

    return space && (np_starts_with(space, " http://") || np_starts_with(space, " https://"))
               ? space + 1
               : NULL;
}

/* NULL when memory is missing or there are `most`. */
static struct account *make_account(struct np_spool_ledger *ledger, const char *noted,
                                    enum np_otlp_signal signal, size_t most)
{
    const char *url = earlier_url(noted);
    NP_AUTO(np_freep) char *place = url ? np_spool_place(url) : NULL;
    const char *destination = place ? place : noted;
    bool is_place = place != NULL;
    struct account *found = find_account(ledger, destination, is_place, signal);

    if (found || ledger->n_accounts >= most)
        return found;
    size_t n = strlen(destination) + 1;
    char *copy = np_try_malloc(n, 1);
    struct account *account =
        copy ? np_try_realloc(ledger->account, ledger->n_accounts + 1, sizeof(*account)) : NULL;
    if (!account) {
        free(copy);
        return NULL;
    }
    memcpy(copy, destination, n);
    ledger->account = account;
    account[ledger->n_accounts] =
        (struct account){.destination = copy, .is_place = is_place, .signal = signal};
    return &account[ledger->n_accounts++];
}

/* A batch that was split is not in flight to any destination any more. */
static void forget_pending(const struct np_spool_ledger *ledger, const struct np_spool_entry *entry)
{
    for (size_t i = 0; i < ledger->n_accounts; i++) {
        struct account *account = &ledger->account[i];
        if (account->signal == entry->signal &&
            np_spool_range_is_same(&account->pending, &entry->range))
            account->pending = (struct np_spool_range){0, 0};
    }
}

static int forget(struct account *account, const struct np_spool_entry *entry)
{
    if (np_spool_range_is_same(&account->pending, &entry->range))
        account->pending = (struct np_spool_range){0, 0};
    int64_t n_void = entry->n_items - entry->n_rejected;
    account->n_accepted -= n_void < account->n_accepted ? n_void : account->n_accepted;
    NP_TRY(np_spool_ranges_remove(&account->accepted, entry->range));
    return np_spool_ranges_remove(&account->dropped, entry->range);
}

static int remember(struct np_spool_ledger *ledger, const struct np_spool_entry *entry,
                    const struct limits *limits)
{
    struct account *account =
        make_account(ledger, entry->destination, entry->signal, limits->accounts);

    if (!account)
        return ledger->n_accounts >= limits->accounts ? 0 : NP_ENOMEM;
    if (entry->range.to > ledger->largest_to)
        ledger->largest_to = entry->range.to;
    if (entry->mark == NP_SPOOL_MARK_VOID)
        return forget(account, entry);
    if (entry->mark == NP_SPOOL_MARK_SENDING) {
        account->pending = entry->range;
        return 0;
    }
    if (entry->mark == NP_SPOOL_MARK_SPLIT)
        forget_pending(ledger, entry);
    else if (np_spool_range_is_same(&account->pending, &entry->range))
        account->pending = (struct np_spool_range){0, 0};
    switch (entry->mark) {
    case NP_SPOOL_MARK_ACCEPTED:
    case NP_SPOOL_MARK_PARTIAL:
        account->n_accepted += entry->n_items - entry->n_rejected;
        account->n_rejected += entry->n_rejected;
        return np_spool_ranges_add(&account->accepted, entry->range, limits->ranges);
    case NP_SPOOL_MARK_DROPPED:
        return np_spool_ranges_add(&account->dropped, entry->range, limits->ranges);
    default:
        return 0;
    }
}

static int remember_entry(void *self, const struct np_spool_entry *entry)
{
    return remember(self, entry, &of_a_file);
}

static int read_lines(struct np_spool_ledger *ledger, int fd, struct np_error *err)
{
    return np_spool_entries_read(fd, ledger->path, remember_entry, ledger, err);
}

static struct np_spool_ledger *empty_ledger(const char *record_path)
{
    struct np_spool_ledger *ledger = np_xcalloc(1, sizeof(*ledger));

    ledger->path = np_xasprintf("%s.ledger", record_path);
    ledger->record_path = np_xstrdup(record_path);
    ledger->fd = -1;
    return ledger;
}

bool np_spool_ledger_exists(const char *record_path)
{
    NP_AUTO(np_freep) char *path = np_xasprintf("%s.ledger", record_path);

    return np_path_exists(path);
}

void np_spool_ledger_freep(struct np_spool_ledger **address)
{
    struct np_spool_ledger *ledger = *address;

    if (!ledger)
        return;
    if (ledger->fd >= 0)
        close(ledger->fd); /* the lock goes with it */
    for (size_t i = 0; i < ledger->n_accounts; i++) {
        free(ledger->account[i].destination);
        free(ledger->account[i].accepted.item);
        free(ledger->account[i].dropped.item);
    }
    free(ledger->account);
    free(ledger->path);
    free(ledger->record_path);
    np_freep(address);
}

/* The process that holds the lock of `fd`, as /proc/locks says: "1: FLOCK  ADVISORY  WRITE 123
 * 08:01:4711 0 EOF". 0 when it is not known. */
static long holder_of(int fd)
{
    FILE *file = fopen("/proc/locks", "re");
    struct stat status;
    char line[256];
    long holder = 0;

    if (file && fstat(fd, &status) == 0)
        while (holder == 0 && fgets(line, sizeof(line), file)) {
            unsigned long long inode;
            unsigned major, minor;
            long pid;
            if (sscanf(line, "%*s FLOCK %*s WRITE %ld %x:%x:%llu", &pid, &major, &minor, &inode) ==
                    4 &&
                inode == status.st_ino && pid > 0)
                holder = pid;
        }
    if (file)
        fclose(file);
    return holder;
}

static int lock(const struct np_spool_ledger *ledger, struct np_error *err)
{
    int failed;

    do
        failed = flock(ledger->fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    while (failed == EINTR);
    if (failed == EWOULDBLOCK) {
        long holder = holder_of(ledger->fd);
        NP_AUTO(np_freep)
        char *who = holder ? np_xasprintf("process %ld", holder) : np_xstrdup("another process");
        return np_error_set(err, NP_EBUSY, "'%s': %s is sending this telemetry", ledger->path, who);
    }
    return 0; /* this file system has no locks: rather send twice under the same ids than never */
}

/* How a ledger is opened: without waiting for the other end of a pipe, and never through a link. */
enum { AS_LEDGER = O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW };

/* A link in the place of a ledger leads to another file, which must not get lines of ours. */
static int cannot_open(const struct np_spool_ledger *ledger, int errnum, int code,
                       struct np_error *err)
{
    if (errnum == ELOOP)
        return np_error_set(err, NP_ECREATE,
                            "'%s': expected a telemetry ledger, found a link; remove it",
                            ledger->path);
    return np_error_errno(err, errnum, code, "'%s': cannot open the telemetry ledger",
                          ledger->path);
}

/* A pipe or a device in the place of a ledger keeps nothing: what was sent would be sent again. */
static int check_file(const struct np_spool_ledger *ledger, int fd, struct np_error *err)
{
    struct stat status;

    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return 0;
    return np_error_set(err, NP_ECREATE,
                        "'%s': expected a telemetry ledger, found no regular file; remove it",
                        ledger->path);
}

int np_spool_ledger_open(const char *record_path, struct np_spool_ledger **out,
                         struct np_error *err)
{
    NP_AUTO(np_spool_ledger_freep) struct np_spool_ledger *ledger = empty_ledger(record_path);

    ledger->fd = open(ledger->path, O_RDWR | O_APPEND | O_CREAT | AS_LEDGER, 0666);
    if (ledger->fd < 0)
        return cannot_open(ledger, errno, NP_ECREATE, err);
    NP_TRY(check_file(ledger, ledger->fd, err));
    NP_TRY(lock(ledger, err));
    NP_TRY(np_spool_ends_torn(ledger->fd, ledger->path, &ledger->is_torn, err));
    NP_TRY(read_lines(ledger, ledger->fd, err));
    *out = ledger;
    ledger = NULL;
    return 0;
}

int np_spool_ledger_read(const char *record_path, struct np_spool_ledger **out,
                         struct np_error *err)
{
    NP_AUTO(np_spool_ledger_freep) struct np_spool_ledger *ledger = empty_ledger(record_path);
    int fd = open(ledger->path, O_RDONLY | AS_LEDGER);

    if (fd < 0 && errno != ENOENT)
        return cannot_open(ledger, errno, NP_EIO, err);
    if (fd >= 0) {
        int code = check_file(ledger, fd, err);
        code = code < 0 ? code : read_lines(ledger, fd, err);
        close(fd);
        NP_TRY(code);
    }
    *out = ledger;
    ledger = NULL;
    return 0;
}

static int append(struct np_spool_ledger *ledger, const struct np_spool_entry *entry,
                  struct np_error *err)
{
    NP_AUTO(np_freep) char *text = np_spool_entry_text(entry, ledger->record_path);
    size_t n = text ? strlen(text) : 0;
    NP_AUTO(np_freep) char *line = text ? np_try_malloc(n + 3, 1) : NULL;
    if (!line)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for a line", ledger->path);
    size_t skip = ledger->is_torn ? 0 : 1;
    line[0] = '\n';
    memcpy(line + 1, text, n + 1);
    line[n + 1] = '\n';
    return np_spool_append(ledger->fd, ledger->path, line + skip, n + 2 - skip, &ledger->is_torn,
                           NULL, err);
}

int np_spool_ledger_note(struct np_spool_ledger *ledger, const struct np_spool_entry *entry,
                         struct np_error *err)
{
    bool is_intent = entry->mark == NP_SPOOL_MARK_SENDING;

    if (is_intent && ledger->fd >= 0)
        NP_TRY(append(ledger, entry, err));
    if (remember(ledger, entry, &of_our_own) < 0)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for the ledger", ledger->path);
    return is_intent || ledger->fd < 0 ? 0 : append(ledger, entry, err);
}

/* Cutting. */

/* The claims of the lines about one batch. */
struct claim {
    char *destination; /* owned */
    enum np_otlp_signal signal;
    struct np_spool_range range;
    int64_t n_accepted;
};

/* The claims on bytes beyond the end of the record. */
struct claims {
    int64_t record_bytes;
    struct claim *item;
    size_t n, capacity;
};

static void claims_done(struct claims *claims)
{
    for (size_t i = 0; i < claims->n; i++)
        free(claims->item[i].destination);
    free(claims->item);
}

/* The claim on the same range, or the place of a new one. */
static size_t find_claim(const struct claims *claims, const struct np_spool_entry *entry)
{
    size_t i = 0;

    while (i < claims->n && !(claims->item[i].signal == entry->signal &&
                              np_spool_range_is_same(&claims->item[i].range, &entry->range) &&
                              strcmp(claims->item[i].destination, entry->destination) == 0))
        i++;
    return i;
}

static int grow_claims(struct claims *claims)
{
    size_t capacity = claims->capacity ? claims->capacity * 2 : 16;
    struct claim *item = np_try_realloc(claims->item, capacity, sizeof(*item));

    if (!item)
        return NP_ENOMEM;
    claims->item = item;
    claims->capacity = capacity;
    return 0;
}

static void drop_claim(struct claims *claims, size_t i)
{
    if (i == claims->n)
        return;
    free(claims->item[i].destination);
    claims->item[i] = claims->item[--claims->n];
}

static int add_claim(struct claims *claims, const struct np_spool_entry *entry)
{
    if (claims->n == claims->capacity && grow_claims(claims) < 0)
        return NP_ENOMEM;
    claims->item[claims->n++] = (struct claim){.destination = np_xstrdup(entry->destination),
                                               .signal = entry->signal,
                                               .range = entry->range};
    return 0;
}

static int note_claim(void *self, const struct np_spool_entry *entry)
{
    struct claims *claims = self;
    bool is_accepted =
        entry->mark == NP_SPOOL_MARK_ACCEPTED || entry->mark == NP_SPOOL_MARK_PARTIAL;
    size_t i = find_claim(claims, entry);

    if (entry->range.to <= claims->record_bytes)
        return 0;
    if (entry->mark == NP_SPOOL_MARK_VOID || entry->mark == NP_SPOOL_MARK_SPLIT) {
        drop_claim(claims, i);
        return 0;
    }
    bool is_full = claims->n >= of_a_file.ranges;
    if (i == claims->n && (is_full || add_claim(claims, entry) < 0))
        return is_full ? 0 : NP_ENOMEM;
    if (is_accepted)
        claims->item[i].n_accepted += entry->n_items - entry->n_rejected;
    return 0;
}

static int find_claims(const struct np_spool_ledger *ledger, struct claims *claims,
                       struct np_error *err)
{
    int fd = open(ledger->path, O_RDONLY | AS_LEDGER);

    if (fd < 0)
        return cannot_open(ledger, errno, NP_EIO, err);
    int code = np_spool_entries_read(fd, ledger->path, note_claim, claims, err);
    close(fd);
    return code;
}

int np_spool_ledger_cut(struct np_spool_ledger *ledger, int64_t record_bytes, int64_t *n_void,
                        struct np_error *err)
{
    NP_AUTO(claims_done) struct claims claims = {.record_bytes = record_bytes};

    if (n_void)
        *n_void = 0;
    if (ledger->largest_to <= record_bytes)
        return 0;
    NP_TRY(find_claims(ledger, &claims, err));
    for (size_t i = 0; i < claims.n; i++) {
        const struct claim *claim = &claims.item[i];
        const struct np_spool_entry entry = {.destination = claim->destination,
                                             .signal = claim->signal,
                                             .range = claim->range,
                                             .mark = NP_SPOOL_MARK_VOID,
                                             .n_items = claim->n_accepted};
        NP_TRY(np_spool_ledger_note(ledger, &entry, err));
    }
    if (n_void)
        *n_void = (int64_t)claims.n;
    return 0;
}

void np_spool_ledger_forget(struct np_spool_ledger *ledger)
{
    for (size_t i = 0; i < ledger->n_accounts; i++) {
        struct account *account = &ledger->account[i];
        account->accepted.n = account->dropped.n = 0;
        account->pending = (struct np_spool_range){0, 0};
    }
}

/* Asking. */

struct np_spool_range np_spool_ledger_gap(const struct np_spool_ledger *ledger,
                                          const char *destination, enum np_otlp_signal signal,
                                          enum np_spool_scope scope, int64_t at)
{
    int64_t start, next;

    do {
        start = at;
        next = INT64_MAX;
        for (size_t i = 0; i < ledger->n_accounts; i++) {
            const struct account *account = &ledger->account[i];
            bool here = is_here(account, destination);
            if (account->signal != signal || (!here && scope != NP_SPOOL_NOT_ANYWHERE))
                continue;
            at = np_spool_ranges_skip(&account->accepted, at, &next);
            if (here && scope == NP_SPOOL_NOT_ANYWHERE)
                at = np_spool_ranges_skip(&account->dropped, at, &next);
        }
    } while (at != start); /* another account may continue where this one ends */
    return (struct np_spool_range){at, next};
}

bool np_spool_ledger_in_flight(const struct np_spool_ledger *ledger, const char *destination,
                               enum np_otlp_signal signal, enum np_spool_scope scope,
                               struct np_spool_range *range)
{
    bool is_found = false;

    for (size_t i = 0; i < ledger->n_accounts; i++) {
        const struct account *account = &ledger->account[i];
        const struct np_spool_range *pending = &account->pending;
        bool here = is_here(account, destination);
        if (account->signal != signal || (!here && scope != NP_SPOOL_NOT_ANYWHERE) ||
            pending->to == 0)
            continue;
        struct np_spool_range gap =
            np_spool_ledger_gap(ledger, destination, signal, scope, pending->from);
        if (gap.from != pending->from || gap.to < pending->to ||
            (is_found && range->from <= pending->from))
            continue;
        *range = *pending;
        is_found = true;
    }
    return is_found;
}

int64_t np_spool_ledger_accepted(const struct np_spool_ledger *ledger, const char *destination,
                                 enum np_otlp_signal signal)
{
    int64_t n_accepted = 0;

    for (size_t i = 0; i < ledger->n_accounts; i++)
        if (ledger->account[i].signal == signal && is_here(&ledger->account[i], destination))
            n_accepted += ledger->account[i].n_accepted;
    return n_accepted;
}

int64_t np_spool_ledger_rejected(const struct np_spool_ledger *ledger, const char *destination,
                                 enum np_otlp_signal signal)
{
    int64_t n_rejected = 0;

    for (size_t i = 0; i < ledger->n_accounts; i++)
        if (ledger->account[i].signal == signal && is_here(&ledger->account[i], destination))
            n_rejected += ledger->account[i].n_rejected;
    return n_rejected;
}

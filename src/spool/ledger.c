#include "spool/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/str.h"
#include "codec/sha256.h"
#include "spool/append.h"
#include "spool/lines.h"

/* Our ledgers have a few destinations and one growing range for each signal. Entries beyond
 * these limits were not written by us: they are ignored, and their ranges count as not sent. */
enum { MOST_ACCOUNTS = 256, MOST_RANGES = 4096 };

/* Ascending, apart from each other by at least one byte. */
struct ranges {
    struct np_spool_range *item;
    size_t n, capacity;
};

/* One signal at one destination. */
struct account {
    char *destination; /* its id; of a line of an earlier version, the place */
    bool is_place;     /* of an earlier version: whatever the query and the tenant */
    enum np_otlp_signal signal;
    struct ranges accepted, dropped;
    struct np_spool_range pending; /* to 0 = none */
    int64_t n_accepted, n_rejected;
};

struct np_spool_ledger {
    char *path;
    char *record_name;
    int fd; /* -1: to look at only */
    bool is_torn;
    int64_t largest_to; /* the furthest end of any range noted */
    struct account *account;
    size_t n_accounts;
};

static const char *const mark_names[NP_SPOOL_N_MARKS] = {
    [NP_SPOOL_MARK_SENDING] = "sending", [NP_SPOOL_MARK_ACCEPTED] = "accepted",
    [NP_SPOOL_MARK_PARTIAL] = "partial", [NP_SPOOL_MARK_DROPPED] = "dropped",
    [NP_SPOOL_MARK_SPLIT] = "split",     [NP_SPOOL_MARK_VOID] = "void",
};

/* Insert `added` and join it with the ranges that it touches. Returns 0, NP_ENOMEM. */
static int ranges_add(struct ranges *ranges, struct np_spool_range added)
{
    size_t first = ranges->n; /* search from the end: nearly always it continues the last range */

    while (first > 0 && ranges->item[first - 1].to >= added.from)
        first--;
    size_t last = first;
    for (; last < ranges->n && ranges->item[last].from <= added.to; last++) {
        if (ranges->item[last].from < added.from)
            added.from = ranges->item[last].from;
        if (ranges->item[last].to > added.to)
            added.to = ranges->item[last].to;
    }
    if (last > first) { /* [first, last) become one */
        ranges->item[first] = added;
        memmove(&ranges->item[first + 1], &ranges->item[last],
                (ranges->n - last) * sizeof(*ranges->item));
        ranges->n -= last - first - 1;
        return 0;
    }
    if (ranges->n == MOST_RANGES)
        return 0;
    if (ranges->n == ranges->capacity) {
        size_t capacity = ranges->capacity ? ranges->capacity * 2 : 4;
        struct np_spool_range *item = np_try_realloc(ranges->item, capacity, sizeof(*item));
        if (!item)
            return NP_ENOMEM;
        ranges->item = item;
        ranges->capacity = capacity;
    }
    memmove(&ranges->item[first + 1], &ranges->item[first],
            (ranges->n - first) * sizeof(*ranges->item));
    ranges->item[first] = added;
    ranges->n++;
    return 0;
}

/* Take `removed` out of the ranges. Returns 0, NP_ENOMEM. */
static int ranges_remove(struct ranges *ranges, struct np_spool_range removed)
{
    for (size_t i = ranges->n; i-- > 0;) {
        struct np_spool_range *item = &ranges->item[i], rest = {removed.to, item->to};
        if (item->to <= removed.from || item->from >= removed.to)
            continue;
        if (item->from < removed.from) {
            item->to = removed.from;
        } else {
            memmove(item, item + 1, (ranges->n - i - 1) * sizeof(*item));
            ranges->n--;
        }
        if (rest.from < rest.to)
            NP_TRY(ranges_add(ranges, rest));
    }
    return 0;
}

/* The end of the range around `at`, or `at` when no range holds it; `*next` is lowered to the
 * next range's start. */
static int64_t ranges_skip(const struct ranges *ranges, int64_t at, int64_t *next)
{
    for (size_t i = 0; i < ranges->n; i++) {
        if (ranges->item[i].to <= at)
            continue;
        if (ranges->item[i].from <= at)
            at = ranges->item[i].to;
        else {
            if (ranges->item[i].from < *next)
                *next = ranges->item[i].from;
            break;
        }
    }
    return at;
}

/* Where the host begins in a URL, which may stand behind other words; NULL when there is none. */
static const char *host_of(const char *destination)
{
    const char *scheme = strstr(destination, "://");

    return scheme ? scheme + 3 : NULL;
}

char *np_spool_place(const char *url)
{
    static const char *const names[] = {"localhost:", "[::1]:"};
    const char *host = host_of(url);

    host = host ? host : url;
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

/* NULL when memory is missing or there are too many. */
static struct account *make_account(struct np_spool_ledger *ledger, const char *noted,
                                    enum np_otlp_signal signal)
{
    bool is_place = host_of(noted) != NULL;
    NP_AUTO(np_freep) char *place = is_place ? np_spool_place(noted) : NULL;
    const char *destination = place ? place : noted;
    struct account *found = find_account(ledger, destination, is_place, signal);

    if (found || ledger->n_accounts == MOST_ACCOUNTS)
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

static bool is_same(const struct np_spool_range *a, const struct np_spool_range *b)
{
    return a->from == b->from && a->to == b->to;
}

/* A batch that was split is not in flight to any destination any more. */
static void forget_pending(const struct np_spool_ledger *ledger, const struct np_spool_entry *entry)
{
    for (size_t i = 0; i < ledger->n_accounts; i++) {
        struct account *account = &ledger->account[i];
        if (account->signal == entry->signal && is_same(&account->pending, &entry->range))
            account->pending = (struct np_spool_range){0, 0};
    }
}

static int forget(struct account *account, const struct np_spool_entry *entry)
{
    if (is_same(&account->pending, &entry->range))
        account->pending = (struct np_spool_range){0, 0};
    account->n_accepted -= entry->n_items - entry->n_rejected;
    NP_TRY(ranges_remove(&account->accepted, entry->range));
    return ranges_remove(&account->dropped, entry->range);
}

static int remember(struct np_spool_ledger *ledger, const struct np_spool_entry *entry)
{
    struct account *account = make_account(ledger, entry->destination, entry->signal);

    if (!account)
        return ledger->n_accounts == MOST_ACCOUNTS ? 0 : NP_ENOMEM;
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
    else if (is_same(&account->pending, &entry->range))
        account->pending = (struct np_spool_range){0, 0};
    switch (entry->mark) {
    case NP_SPOOL_MARK_ACCEPTED:
    case NP_SPOOL_MARK_PARTIAL:
        account->n_accepted += entry->n_items - entry->n_rejected;
        account->n_rejected += entry->n_rejected;
        return ranges_add(&account->accepted, entry->range);
    case NP_SPOOL_MARK_DROPPED:
        return ranges_add(&account->dropped, entry->range);
    default:
        return 0;
    }
}

/* Reading. */

static bool signal_of(const char *name, enum np_otlp_signal *signal)
{
    for (int i = 0; name && i < NP_OTLP_N_SIGNALS; i++)
        if (strcmp(name, np_otlp_signal_name((enum np_otlp_signal)i)) == 0) {
            *signal = (enum np_otlp_signal)i;
            return true;
        }
    return false;
}

static bool mark_of(const char *name, enum np_spool_mark *mark)
{
    for (int i = 0; name && i < NP_SPOOL_N_MARKS; i++)
        if (strcmp(name, mark_names[i]) == 0) {
            *mark = (enum np_spool_mark)i;
            return true;
        }
    return false;
}

static int64_t count_at(const json_t *object, const char *key)
{
    enum { MOST = 1 << 30 };
    json_int_t n = json_integer_value(json_object_get(object, key));

    return n < 0 ? 0 : n > MOST ? MOST : n;
}

/* Read an entry, which borrows from `object`. Returns false when it is none. */
static bool entry_of(const json_t *object, struct np_spool_entry *entry)
{
    const json_t *from = json_object_get(object, "from"), *to = json_object_get(object, "to");

    *entry = (struct np_spool_entry){
        .destination = json_string_value(json_object_get(object, "destination")),
        .range = {json_integer_value(from), json_integer_value(to)},
        .n_items = count_at(object, "items"),
        .n_rejected = count_at(object, "rejected"),
    };
    if (entry->n_rejected > entry->n_items)
        entry->n_rejected = entry->n_items;
    return entry->destination && json_is_integer(from) && json_is_integer(to) &&
           entry->range.from >= 0 && entry->range.from < entry->range.to &&
           entry->range.to < INT64_MAX &&
           signal_of(json_string_value(json_object_get(object, "signal")), &entry->signal) &&
           mark_of(json_string_value(json_object_get(object, "outcome")), &entry->mark);
}

/* Call `use` with each entry of the file. It returns 0 or an error code. */
static int for_each_entry(const struct np_spool_ledger *ledger, int fd,
                          int (*use)(void *self, const struct np_spool_entry *entry), void *self,
                          struct np_error *err)
{
    NP_AUTO(np_spool_lines_done) struct np_spool_lines lines = {.fd = -1};
    const char *line;
    size_t length;
    int more;

    NP_TRY(np_spool_lines_open(&lines, fd, err));
    while ((more = np_spool_lines_next(&lines, &line, &length, err)) > 0) {
        struct np_spool_entry entry;
        json_t *object = json_loadb(line, length, 0, NULL);
        int code = object && entry_of(object, &entry) ? use(self, &entry) : 0;
        json_decref(object);
        if (code < 0)
            return np_error_set(err, code, "'%s': no memory for the ledger", ledger->path);
    }
    return more;
}

static int remember_entry(void *self, const struct np_spool_entry *entry)
{
    return remember(self, entry);
}

static int read_lines(struct np_spool_ledger *ledger, int fd, struct np_error *err)
{
    return for_each_entry(ledger, fd, remember_entry, ledger, err);
}

static struct np_spool_ledger *empty_ledger(const char *record_path)
{
    struct np_spool_ledger *ledger = np_xcalloc(1, sizeof(*ledger));

    ledger->path = np_xasprintf("%s.ledger", record_path);
    ledger->record_name = np_xstrdup(np_path_name(record_path));
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
    free(ledger->record_name);
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

    ledger->fd = open(ledger->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (ledger->fd < 0)
        return np_error_errno(err, errno, NP_ECREATE, "'%s': cannot open the telemetry ledger",
                              ledger->path);
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
    int fd = open(ledger->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno != ENOENT)
        return np_error_errno(err, errno, NP_EIO, "'%s': cannot read the telemetry ledger",
                              ledger->path);
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

/* Writing. */

static json_t *entry_json(const struct np_spool_ledger *ledger, const struct np_spool_entry *entry)
{
    char id[NP_SPOOL_BATCH_ID], time[NP_CLOCK_TEXT];

    np_spool_batch_id(ledger->record_name, entry->signal, &entry->range, 0, 0, id);
    json_t *object = json_pack(
        "{ss ss ss ss sI sI ss sI}", "time", np_clock_iso8601(np_clock_unix_ns(), time),
        "destination", entry->destination, "signal", np_otlp_signal_name(entry->signal), "batch",
        id, "from", (json_int_t)entry->range.from, "to", (json_int_t)entry->range.to, "outcome",
        mark_names[entry->mark], "items", (json_int_t)entry->n_items);
    if (object && entry->n_rejected)
        json_object_set_new(object, "rejected", json_integer(entry->n_rejected));
    if (object && entry->text && *entry->text)
        json_object_set_new(object, "said", json_string(entry->text));
    return object;
}

static int append(struct np_spool_ledger *ledger, const struct np_spool_entry *entry,
                  struct np_error *err)
{
    json_t *object = entry_json(ledger, entry);
    NP_AUTO(np_freep) char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

    json_decref(object);
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
    if (remember(ledger, entry) < 0)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for the ledger", ledger->path);
    return is_intent || ledger->fd < 0 ? 0 : append(ledger, entry, err);
}

/* Cutting. */

/* What the lines about one batch claim. */
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
                              is_same(&claims->item[i].range, &entry->range) &&
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
    if (i == claims->n && (claims->n == MOST_RANGES || add_claim(claims, entry) < 0))
        return claims->n == MOST_RANGES ? 0 : NP_ENOMEM;
    if (is_accepted)
        claims->item[i].n_accepted += entry->n_items - entry->n_rejected;
    return 0;
}

static int find_claims(const struct np_spool_ledger *ledger, struct claims *claims,
                       struct np_error *err)
{
    int fd = open(ledger->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return np_error_errno(err, errno, NP_EIO, "'%s': cannot read the telemetry ledger",
                              ledger->path);
    int code = for_each_entry(ledger, fd, note_claim, claims, err);
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
            at = ranges_skip(&account->accepted, at, &next);
            if (here && scope == NP_SPOOL_NOT_ANYWHERE)
                at = ranges_skip(&account->dropped, at, &next);
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

void np_spool_batch_id(const char *record_path, enum np_otlp_signal signal,
                       const struct np_spool_range *range, size_t first, size_t n,
                       char id[NP_SPOOL_BATCH_ID])
{
    char hex[NP_SHA256_HEX];
    NP_AUTO(np_freep)
    char *text = np_xasprintf("%s\n%s\n%lld-%lld\n%zu+%zu", np_path_name(record_path),
                              np_otlp_signal_name(signal), (long long)range->from,
                              (long long)range->to, first, n);

    np_sha256_of(text, strlen(text), hex);
    memcpy(id, hex, NP_SPOOL_BATCH_ID - 1);
    id[NP_SPOOL_BATCH_ID - 1] = '\0';
}

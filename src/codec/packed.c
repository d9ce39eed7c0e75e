/*
 * Writing. The body is cut into blocks of a MiB, and a batch of blocks is worked on at a time, by
 * tasks that run in parallel:
 *
 *     [hash the batch's blocks] [deflate block 0] [deflate block 1] …
 *
 * A block is written as soon as it and all blocks before it are deflated, by the thread that
 * finished the last of them, while the other threads deflate on. A plain file's batch has two
 * tasks: [hash] [write].
 */
#include "codec/packed.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "codec/deflate.h"

enum { BLOCK = 1 << 20, BLOCKS_A_THREAD = 4, MOST_BATCH = 64 };
enum { TASK_HASH, TASK_WRITE_PLAIN, TASK_DEFLATE = TASK_WRITE_PLAIN };

/* One block of the batch. */
struct slot {
    struct np_bytes in; /* in the caller's memory, or in the packer's `kept` */
    uint8_t *out;
    size_t n_out;
    uint32_t crc;
    bool deflated;
    struct np_error error;
};

struct np_packer {
    int fd;
    char *path;
    enum np_packing packing;
    const struct np_exec *exec;
    struct slot slot[MOST_BATCH];
    int64_t n_batch;    /* slots in use */
    int64_t n_slots;    /* filled; the last of them in part when n_partial > 0 */
    size_t n_partial;   /* bytes in the last slot while it waits for more */
    uint8_t *out_room;  /* of all slots */
    uint8_t *kept;      /* a block for each slot; NULL until bytes must be kept */
    uint32_t n_content; /* head and body, modulo 2^32 as in gzip's trailer */
    struct np_sha256 body_hash;
    /* Hashes and sizes of the written data. */
    pthread_mutex_t lock; /* guards `writing`, `n_done` and the slots' `deflated` */
    bool writing;
    int64_t n_done; /* slots of this batch that are written */
    struct np_sha256 hash;
    int64_t n_written;
    uint32_t crc;
    struct np_error write_error;
};

static int emit(struct np_packer *packer, const void *bytes, size_t n_bytes, struct np_error *err)
{
    int result = np_fd_write_all(packer->fd, bytes, n_bytes);

    if (result < 0)
        return np_error_errno(err, -result, NP_EIO, "'%s': cannot write after %lld bytes",
                              packer->path, (long long)packer->n_written);
    /* Start writing to disk while the next blocks are compressed, so that fsync has little left
     * to do. */
    sync_file_range(packer->fd, packer->n_written, (off_t)n_bytes, SYNC_FILE_RANGE_WRITE);
    np_sha256_update(&packer->hash, bytes, n_bytes);
    packer->n_written += (int64_t)n_bytes;
    return 0;
}

static void deflate_slot(struct slot *slot)
{
    slot->crc = np_crc32(0, slot->in.bytes, slot->in.n);
    /* A failure stays in the slot and is found when the slots are written in order. */
    NP_IGNORE(np_deflate_part(slot->in.bytes, slot->in.n, slot->out, &slot->n_out, &slot->error));
}

static int write_deflated(struct np_packer *packer, const struct slot *slot, struct np_error *err)
{
    packer->crc = np_crc32_join(packer->crc, slot->crc, slot->in.n);
    return emit(packer, slot->out, slot->n_out, err);
}

/* The lock is held. */
static bool next_is_ready(const struct np_packer *packer)
{
    const struct slot *next = &packer->slot[packer->n_done];

    return packer->n_done < packer->n_slots && next->deflated && next->error.code == 0 &&
           packer->write_error.code == 0;
}

/* Write the blocks whose turn it is, unless another thread is writing: that thread looks for
 * them again. */
static void write_ready(struct np_packer *packer)
{
    pthread_mutex_lock(&packer->lock);
    while (!packer->writing && next_is_ready(packer)) {
        packer->writing = true;
        pthread_mutex_unlock(&packer->lock);
        write_deflated(packer, &packer->slot[packer->n_done], &packer->write_error);
        pthread_mutex_lock(&packer->lock);
        packer->writing = false;
        packer->n_done++;
    }
    pthread_mutex_unlock(&packer->lock);
}

static void hash_batch(struct np_packer *packer)
{
    for (int64_t i = 0; i < packer->n_slots; i++)
        np_sha256_update(&packer->body_hash, packer->slot[i].in.bytes, packer->slot[i].in.n);
}

static void write_batch(struct np_packer *packer)
{
    for (int64_t i = 0; i < packer->n_slots && packer->write_error.code == 0; i++)
        emit(packer, packer->slot[i].in.bytes, packer->slot[i].in.n, &packer->write_error);
}

static void plain_task(void *context, int64_t task)
{
    if (task == TASK_HASH)
        hash_batch(context);
    else
        write_batch(context);
}

static void gzip_task(void *context, int64_t task)
{
    struct np_packer *packer = context;

    if (task == TASK_HASH) {
        hash_batch(packer);
        return;
    }
    struct slot *slot = &packer->slot[task - TASK_DEFLATE];
    deflate_slot(slot);
    pthread_mutex_lock(&packer->lock);
    slot->deflated = true;
    pthread_mutex_unlock(&packer->lock);
    write_ready(packer);
}

/* The first error of a batch, the earliest block's. */
static int check_batch(const struct np_packer *packer, struct np_error *err)
{
    if (packer->write_error.code < 0)
        return np_error_set(err, packer->write_error.code, "%s", packer->write_error.text);
    for (int64_t i = 0; i < packer->n_slots; i++) {
        const struct np_error *error = &packer->slot[i].error;
        if (error->code < 0)
            return np_error_set(err, error->code, "'%s': %s", packer->path, error->text);
    }
    return 0;
}

static int pack_batch(struct np_packer *packer, struct np_error *err)
{
    NP_TRY(np_exec_check(packer->exec, err));
    packer->n_done = 0;
    if (packer->packing == NP_PACKING_GZIP)
        np_exec_run(packer->exec, TASK_DEFLATE + packer->n_slots, gzip_task, packer);
    else
        np_exec_run(packer->exec, TASK_WRITE_PLAIN + 1, plain_task, packer);
    NP_TRY(check_batch(packer, err));
    packer->n_slots = 0;
    packer->n_partial = 0;
    return 0;
}

static struct slot *next_slot(struct np_packer *packer, const void *bytes, size_t n)
{
    struct slot *slot = &packer->slot[packer->n_slots++];

    slot->in = (struct np_bytes){bytes, n};
    slot->deflated = false;
    return slot;
}

static int need_kept(struct np_packer *packer, struct np_error *err)
{
    size_t n = (size_t)packer->n_batch;

    if (!packer->kept)
        packer->kept = np_try_malloc(n, BLOCK);
    if (!packer->kept)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for %zu MiB to gather blocks in",
                            packer->path, n * BLOCK >> 20);
    return 0;
}

/* Copy from `bytes` the rest of the incomplete block, or as much as there is. */
static int keep(struct np_packer *packer, const uint8_t *bytes, size_t n, size_t *n_kept,
                struct np_error *err)
{
    NP_TRY(need_kept(packer, err));
    if (packer->n_partial == 0)
        next_slot(packer, packer->kept + packer->n_slots * BLOCK, 0);
    size_t room = BLOCK - packer->n_partial, copied = n < room ? n : room;
    int64_t last = packer->n_slots - 1;
    memcpy(packer->kept + last * BLOCK + packer->n_partial, bytes, copied);
    packer->slot[last].in.n += copied;
    packer->n_partial = (packer->n_partial + copied) % BLOCK;
    *n_kept = copied;
    return 0;
}

/* Copy blocks from the caller's memory, so that they outlive the call. */
static int keep_borrowed(struct np_packer *packer, struct np_error *err)
{
    if (packer->n_slots == 0)
        return 0;
    NP_TRY(need_kept(packer, err));
    for (int64_t i = 0; i < packer->n_slots; i++) {
        struct np_bytes *in = &packer->slot[i].in;
        uint8_t *home = packer->kept + i * BLOCK;
        if (in->bytes != home)
            memcpy(home, in->bytes, in->n);
        in->bytes = home;
    }
    return 0;
}

/* Cut the body into blocks, and pack each batch that is full.
 *   is_last  nothing follows: a block may be short, and stay where it is */
static int take(struct np_packer *packer, const uint8_t *bytes, size_t n_bytes, bool is_last,
                struct np_error *err)
{
    packer->n_content += (uint32_t)n_bytes;
    while (n_bytes > 0) {
        size_t n = n_bytes < BLOCK ? n_bytes : BLOCK;
        if (packer->n_partial == 0 && (n == BLOCK || is_last))
            next_slot(packer, bytes, n);
        else
            NP_TRY(keep(packer, bytes, n, &n, err));
        bytes += n;
        n_bytes -= n;
        if (packer->n_slots == packer->n_batch && packer->n_partial == 0)
            NP_TRY(pack_batch(packer, err));
    }
    return 0;
}

int np_packer_append(struct np_packer *packer, const void *bytes, size_t n_bytes,
                     struct np_error *err)
{
    NP_TRY(take(packer, bytes, n_bytes, false, err));
    return keep_borrowed(packer, err);
}

/* RFC 1952, 2.3: no flags, no time, least effort (4), system unknown (255). */
static int emit_gzip_header(struct np_packer *packer, struct np_error *err)
{
    static const uint8_t header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255};

    return emit(packer, header, sizeof(header), err);
}

static int emit_gzip_end(struct np_packer *packer, struct np_error *err)
{
    uint8_t trailer[NP_DEFLATE_END_BYTES + 8];

    memcpy(trailer, NP_DEFLATE_END, NP_DEFLATE_END_BYTES);
    for (int i = 0; i < 4; i++) {
        trailer[NP_DEFLATE_END_BYTES + i] = (uint8_t)(packer->crc >> 8 * i);
        trailer[NP_DEFLATE_END_BYTES + 4 + i] = (uint8_t)(packer->n_content >> 8 * i);
    }
    return emit(packer, trailer, sizeof(trailer), err);
}

int np_packer_finish(struct np_packer *packer, const struct np_bytes *last,
                     struct np_packed *packed, struct np_error *err)
{
    NP_TRY(take(packer, last->bytes, last->n, true, err));
    NP_TRY(pack_batch(packer, err));
    if (packer->packing == NP_PACKING_GZIP)
        NP_TRY(emit_gzip_end(packer, err));
    packed->n_bytes = packer->n_written;
    np_sha256_hex(&packer->hash, packed->sha256);
    np_sha256_hex(&packer->body_hash, packed->body_sha256);
    return 0;
}

/* Deflate a separate block here, because it is short. */
static int emit_gzip_head(struct np_packer *packer, const struct np_bytes *head,
                          struct np_error *err)
{
    NP_AUTO(np_freep) uint8_t *out = np_try_malloc(1, np_deflate_bound(head->n));
    struct slot slot = {.in = *head, .out = out};

    if (!out)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory to compress its head", packer->path);
    deflate_slot(&slot);
    if (slot.error.code < 0)
        return np_error_set(err, slot.error.code, "'%s': %s", packer->path, slot.error.text);
    NP_TRY(emit_gzip_header(packer, err));
    return write_deflated(packer, &slot, err);
}

static int get_out_room(struct np_packer *packer, struct np_error *err)
{
    size_t bound = np_deflate_bound(BLOCK), n = (size_t)packer->n_batch;

    packer->out_room = np_try_malloc(n, bound);
    if (!packer->out_room)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory for %zu MiB to compress in",
                            packer->path, n * bound >> 20);
    for (size_t i = 0; i < n; i++)
        packer->slot[i].out = packer->out_room + i * bound;
    return 0;
}

/* Blocks a batch: enough to keep each thread busy; the bytes do not depend on it. */
static int64_t batch_blocks(const struct np_exec *exec)
{
    int64_t n = BLOCKS_A_THREAD * (int64_t)np_team_size(exec ? exec->team : NULL);

    return n < MOST_BATCH ? n : MOST_BATCH;
}

int np_packer_open(int fd, const char *path, enum np_packing packing, const struct np_bytes *head,
                   const struct np_exec *exec, struct np_packer **out, struct np_error *err)
{
    NP_AUTO(np_packer_freep) struct np_packer *packer = np_try_calloc(1, sizeof(*packer));

    if (!packer)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory to write it", path);
    *packer = (struct np_packer){.fd = fd,
                                 .path = np_xstrdup(path),
                                 .packing = packing,
                                 .exec = exec,
                                 .n_batch = batch_blocks(exec),
                                 .n_content = (uint32_t)head->n};
    pthread_mutex_init(&packer->lock, NULL);
    np_sha256_init(&packer->hash);
    np_sha256_init(&packer->body_hash);
    if (packing == NP_PACKING_PLAIN) {
        NP_TRY(emit(packer, head->bytes, head->n, err));
    } else {
        NP_TRY(get_out_room(packer, err));
        NP_TRY(emit_gzip_head(packer, head, err));
    }
    *out = packer;
    packer = NULL;
    return 0;
}

void np_packer_freep(struct np_packer **address)
{
    struct np_packer *packer = *address;

    if (!packer)
        return;
    pthread_mutex_destroy(&packer->lock);
    free(packer->out_room);
    free(packer->kept);
    free(packer->path);
    np_freep(address);
}

/*
 * Writing. Blocks are deflated a batch at a time; while one batch is deflated, another task writes
 * the batch before it, and a third hashes the body:
 *
 *     run k:  [write batch k-1] [hash body of batch k] [deflate block] [deflate block] …
 */
#include "codec/gzip.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "codec/deflate.h"

enum { BLOCK = 1 << 20, MOST_BATCH = 64 };
enum { TASK_WRITE, TASK_HASH, TASK_DEFLATE };

/* One block, deflated. */
struct slot {
    uint8_t *out;
    size_t n_out;
    uint32_t crc;
    struct np_error error;
};

struct packer {
    int fd;
    const char *path;
    enum np_packing packing;
    struct np_bytes head, body;
    int64_t n_blocks; /* the head is block 0 */
    int64_t n_batch;
    int64_t run;
    struct slot slots[2][MOST_BATCH];
    struct np_sha256 body_hash;
    /* of what was written */
    struct np_sha256 hash;
    int64_t n_written;
    uint32_t crc;
    struct np_error write_error;
};

static struct np_bytes block_at(const struct packer *packer, int64_t i)
{
    if (i == 0)
        return packer->head;
    size_t from = (size_t)(i - 1) * BLOCK, left = packer->body.n - from;
    return (struct np_bytes){(const uint8_t *)packer->body.bytes + from,
                             left < BLOCK ? left : BLOCK};
}

static int emit(struct packer *packer, const void *bytes, size_t n_bytes, struct np_error *err)
{
    int result = np_fd_write_all(packer->fd, bytes, n_bytes);

    if (result < 0)
        return np_error_errno(err, -result, NP_EIO, "'%s': cannot write after %lld bytes",
                              packer->path, (long long)packer->n_written);
    /* The disk begins while the next blocks are compressed, so that fsync finds little left. */
    sync_file_range(packer->fd, packer->n_written, (off_t)n_bytes, SYNC_FILE_RANGE_WRITE);
    np_sha256_update(&packer->hash, bytes, n_bytes);
    packer->n_written += (int64_t)n_bytes;
    return 0;
}

static void write_batch(struct packer *packer, int64_t batch)
{
    int64_t begin = batch * packer->n_batch, end = begin + packer->n_batch;

    for (int64_t i = begin; i >= 0 && i < end && i < packer->n_blocks; i++) {
        struct np_bytes block = block_at(packer, i);
        const struct slot *slot = &packer->slots[batch % 2][i - begin];
        packer->crc = np_crc32_join(packer->crc, slot->crc, block.n);
        if (packer->packing == NP_PACKING_PLAIN)
            emit(packer, block.bytes, block.n, &packer->write_error);
        else
            emit(packer, slot->out, slot->n_out, &packer->write_error);
        if (packer->write_error.code < 0)
            return;
    }
}

static void hash_batch(struct packer *packer, int64_t batch)
{
    int64_t begin = batch * packer->n_batch, end = begin + packer->n_batch;

    for (int64_t i = begin; i < end && i < packer->n_blocks; i++)
        if (i > 0) {
            struct np_bytes block = block_at(packer, i);
            np_sha256_update(&packer->body_hash, block.bytes, block.n);
        }
}

static void deflate_block(struct packer *packer, int64_t i)
{
    struct slot *slot = &packer->slots[packer->run % 2][i % packer->n_batch];

    if (i >= packer->n_blocks || packer->packing == NP_PACKING_PLAIN)
        return;
    struct np_bytes block = block_at(packer, i);
    slot->crc = np_crc32(0, block.bytes, block.n);
    np_deflate_part(block.bytes, block.n, slot->out, &slot->n_out, &slot->error);
}

static void pack_task(void *context, int64_t task)
{
    struct packer *packer = context;

    if (task == TASK_WRITE)
        write_batch(packer, packer->run - 1);
    else if (task == TASK_HASH)
        hash_batch(packer, packer->run);
    else
        deflate_block(packer, packer->run * packer->n_batch + task - TASK_DEFLATE);
}

/* The first error of a run, the earliest block's. */
static int check_run(struct packer *packer, struct np_error *err)
{
    if (packer->write_error.code < 0)
        return np_error_set(err, packer->write_error.code, "%s", packer->write_error.text);
    for (int64_t j = 0; j < packer->n_batch; j++) {
        const struct np_error *error = &packer->slots[packer->run % 2][j].error;
        if (error->code < 0)
            return np_error_set(err, error->code, "'%s': %s", packer->path, error->text);
    }
    return 0;
}

/* RFC 1952, 2.3: no flags, no time, least effort (4), system unknown (255). */
static int emit_gzip_header(struct packer *packer, struct np_error *err)
{
    static const uint8_t header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255};

    return emit(packer, header, sizeof(header), err);
}

static int emit_gzip_end(struct packer *packer, struct np_error *err)
{
    uint8_t trailer[NP_DEFLATE_END_BYTES + 8];
    size_t n_content = packer->head.n + packer->body.n;

    memcpy(trailer, NP_DEFLATE_END, NP_DEFLATE_END_BYTES);
    for (int i = 0; i < 4; i++) {
        trailer[NP_DEFLATE_END_BYTES + i] = (uint8_t)(packer->crc >> 8 * i);
        trailer[NP_DEFLATE_END_BYTES + 4 + i] = (uint8_t)(n_content >> 8 * i);
    }
    return emit(packer, trailer, sizeof(trailer), err);
}

/* Blocks a batch: enough to keep each thread busy; the bytes do not depend on it. */
static int64_t batch_blocks(const struct np_exec *exec, int64_t n_blocks)
{
    int64_t n = 4 * (int64_t)np_team_size(exec ? exec->team : NULL);

    n = n < MOST_BATCH ? n : MOST_BATCH;
    return n < n_blocks ? n : n_blocks;
}

static int pack_all(struct packer *packer, const struct np_exec *exec, struct np_error *err)
{
    int64_t n_runs = (packer->n_blocks + packer->n_batch - 1) / packer->n_batch + 1;

    if (packer->packing == NP_PACKING_GZIP)
        NP_TRY(emit_gzip_header(packer, err));
    for (packer->run = 0; packer->run < n_runs; packer->run++) {
        NP_TRY(np_exec_check(exec, err));
        np_exec_run(exec, TASK_DEFLATE + packer->n_batch, pack_task, packer);
        NP_TRY(check_run(packer, err));
    }
    return packer->packing == NP_PACKING_GZIP ? emit_gzip_end(packer, err) : 0;
}

int np_packed_write(int fd, const char *path, enum np_packing packing, const struct np_bytes *head,
                    const struct np_bytes *body, const struct np_exec *exec,
                    struct np_packed *packed, struct np_error *err)
{
    NP_AUTO(np_freep) struct packer *packer = np_try_calloc(1, sizeof(*packer));
    NP_AUTO(np_freep) uint8_t *room = NULL;

    if (!packer)
        return np_error_set(err, NP_ENOMEM, "'%s': no memory to write it", path);
    *packer = (struct packer){.fd = fd, .path = path, .packing = packing};
    packer->head = *head;
    packer->body = *body;
    packer->n_blocks = 1 + (int64_t)((body->n + BLOCK - 1) / BLOCK);
    packer->n_batch = batch_blocks(exec, packer->n_blocks);
    np_sha256_init(&packer->hash);
    np_sha256_init(&packer->body_hash);
    if (packing == NP_PACKING_GZIP) {
        size_t largest = head->n > BLOCK ? head->n : BLOCK;
        size_t bound = np_deflate_bound(largest), n_slots = 2 * (size_t)packer->n_batch;
        room = np_try_malloc(n_slots, bound);
        if (!room)
            return np_error_set(err, NP_ENOMEM, "'%s': no memory for %zu MiB to compress in", path,
                                n_slots * bound >> 20);
        for (size_t i = 0; i < n_slots; i++)
            packer->slots[i % 2][i / 2].out = room + i * bound;
    }
    NP_TRY(pack_all(packer, exec, err));
    packed->n_bytes = packer->n_written;
    np_sha256_hex(&packer->hash, packed->sha256);
    np_sha256_hex(&packer->body_hash, packed->body_sha256);
    return 0;
}

/*
 * BIDS file names: entities, suffix, extension (BIDS 1.11.1, appendix "Entities").
 */
#ifndef NP_BIDS_ENTITIES_H
#define NP_BIDS_ENTITIES_H

#include <stdbool.h>

#include "base/error.h"

/* X(IDENT, key), in the order of the keys in a name */
#define NP_BIDS_ENTITIES(X)   \
    X(SUB, "sub")             \
    X(SES, "ses")             \
    X(SAMPLE, "sample")       \
    X(TASK, "task")           \
    X(ACQ, "acq")             \
    X(CE, "ce")               \
    X(TRC, "trc")             \
    X(STAIN, "stain")         \
    X(REC, "rec")             \
    X(DIR, "dir")             \
    X(RUN, "run")             \
    X(MOD, "mod")             \
    X(ECHO, "echo")           \
    X(FLIP, "flip")           \
    X(INV, "inv")             \
    X(MT, "mt")               \
    X(PART, "part")           \
    X(PROC, "proc")           \
    X(HEMI, "hemi")           \
    X(SPACE, "space")         \
    X(SPLIT, "split")         \
    X(RECORDING, "recording") \
    X(CHUNK, "chunk")         \
    X(SEG, "seg")             \
    X(RES, "res")             \
    X(DEN, "den")             \
    X(LABEL, "label")         \
    X(DESC, "desc")

enum np_bids_entity {
#define X(ident, key) NP_ENTITY_##ident,
    NP_BIDS_ENTITIES(X)
#undef X
        NP_N_ENTITIES
};

/* A parsed name. Values are owned and have no key; NULL = absent. The padding of an index is
 * kept ("01"). */
struct np_bids_name {
    char *entity[NP_N_ENTITIES];
    char *suffix;    /* "T1w" */
    char *extension; /* ".nii.gz"; "" when there is none */
};

/*
 * Parse a file's name (no folders). Returns true for a BIDS name: key-value pairs with known keys,
 * each once and in any order, labels of letters, digits and '+', then a suffix. A suffix alone is a
 * name too ("T1w.json"). Otherwise `name` is untouched.
 */
bool np_bids_name_parse(const char *file_name, struct np_bids_name *name);
void np_bids_name_done(struct np_bids_name *name);
void np_bids_name_copy(const struct np_bids_name *from, struct np_bids_name *to);

/* Format the name, with the entities in the standard's order; the caller frees. */
char *np_bids_name_format(const struct np_bids_name *name);

/* "sub" for NP_ENTITY_SUB */
const char *np_bids_entity_key(enum np_bids_entity entity);

#endif

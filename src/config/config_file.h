/*
 * Settings from sources other than the command line: the configuration file (JSON, one object whose
 * keys are the options' names without leading dashes) and the environment
 * (NEURO_PREPROCESS_OPTION_NAME); and the effective settings as such a file.
 */
#ifndef NP_CONFIG_CONFIG_FILE_H
#define NP_CONFIG_CONFIG_FILE_H

#include "config/config.h"

#define NP_CONFIG_SCHEMA_ID "urn:neuro-preprocess:schema:config:1"
#define NP_ENVIRONMENT_PREFIX "NEURO_PREPROCESS_"

/*
 * Apply a configuration file: its values replace those in `config`; null means the default. A key
 * may be any spelling of an option that may be in a file; "$schema" is optional and must be
 * NP_CONFIG_SCHEMA_ID. Returns 0, NP_ENOINPUT (no such file), NP_ECONFIG (not JSON: line and
 * column; unknown key: did-you-mean; wrong value). On failure `config` may hold a part of it.
 */
int np_config_read_file(const char *path, struct np_config *config,
                        struct np_error *err) NP_MUST_USE;

/* The same for text in memory; messages use `name` as the file's name. */
int np_config_read_text(const char *text, size_t n_bytes, const char *name,
                        struct np_config *config, struct np_error *err) NP_MUST_USE;

/*
 * Apply the environment: `environment` is like `environ`, NULL-terminated "NAME=VALUE". Lists are
 * separated by spaces; flags are true or false; an empty value counts as not set. A variable with
 * our prefix and an unknown option gives a notice. Returns 0, NP_ECONFIG (wrong value).
 */
int np_config_read_environment(char *const *environment, struct np_config *config,
                               struct np_strings *notices, struct np_error *err) NP_MUST_USE;

/* The effective settings as a configuration file, indented, with a final newline; secrets in URLs
 * are "***". The caller frees. */
char *np_config_json(const struct np_config *config);

/* The JSON Schema (draft 2020-12) of that file, from the option table. The caller frees. */
char *np_config_schema_json(void);

/* The version of jansson, the JSON library, in use: "2.14"; borrowed. */
const char *np_config_json_version(void);

#endif

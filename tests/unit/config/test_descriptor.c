/* The Boutiques descriptors: valid by their own rules, and nothing in them that the tables do not
 * say. */
#include "config/descriptor.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "config/options.h"
#include "tap.h"

static json_t *descriptor(enum np_command command)
{
    NP_AUTO(np_freep) char *text = np_descriptor_json(command, "1.2.3");

    return json_loads(text, 0, NULL);
}

static const char *member(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static json_t *input(const json_t *root, const char *id)
{
    size_t i;
    json_t *each;

    json_array_foreach(json_object_get(root, "inputs"), i, each)
    {
        if (strcmp(member(each, "id"), id) == 0)
            return each;
    }
    return NULL;
}

static void check_keys(const json_t *root)
{
    const json_t *inputs = json_object_get(root, "inputs");
    const char *line = member(root, "command-line");
    size_t i, j;
    json_t *one, *other;

    json_array_foreach(inputs, i, one)
    {
        const char *key = member(one, "value-key");
        ok(strstr(line, key) != NULL);
        json_array_foreach(inputs, j, other)
        {
            if (i != j && strstr(member(other, "value-key"), key))
                ok_str(member(other, "value-key"), "a key that holds no other");
        }
    }
}

TEST(every_key_is_in_the_command_line_and_in_no_other_key)
{
    json_t *app = descriptor(NP_COMMAND_HELP), *idps = descriptor(NP_COMMAND_IDPS);

    check_keys(app);
    check_keys(idps);
    json_decref(app);
    json_decref(idps);
}

TEST(every_input_is_in_one_group)
{
    json_t *root = descriptor(NP_COMMAND_HELP), *group, *id;
    size_t i, j, n_members = 0;

    json_array_foreach(json_object_get(root, "groups"), i, group)
    {
        ok(input(root, member(group, "id")) == NULL); /* ids are unique over both */
        json_array_foreach(json_object_get(group, "members"), j, id)
        {
            ok(input(root, json_string_value(id)) != NULL);
            n_members++;
        }
    }
    ok_int((int64_t)n_members, (int64_t)json_array_size(json_object_get(root, "inputs")));
    json_decref(root);
}

TEST(types_follow_the_table)
{
    json_t *root = descriptor(NP_COMMAND_PARTICIPANT);

    ok_str(member(input(root, "participant_label"), "type"), "String");
    ok(json_is_true(json_object_get(input(root, "participant_label"), "list")));
    ok_str(member(input(root, "nprocs"), "type"), "Number");
    ok(json_is_true(json_object_get(input(root, "nprocs"), "integer")));
    ok_int(json_integer_value(json_object_get(input(root, "nprocs"), "minimum")), 1);
    ok_str(member(input(root, "fail_rate"), "type"), "Number");
    ok_near(json_number_value(json_object_get(input(root, "fail_rate"), "maximum")), 1, 0,
            "exact in binary");
    ok_str(member(input(root, "dry_run"), "type"), "Flag");
    ok_str(member(input(root, "bids_filter_file"), "type"), "File");
    ok_str(member(input(root, "metrics_textfile"), "type"), "String");
    ok_str(member(input(root, "work_dir"), "type"), "String");
    ok_int((int64_t)json_array_size(json_object_get(input(root, "skull_strip"), "value-choices")),
           4);
    ok_contains(member(input(root, "skull_strip"), "description"), "Default: auto.");
    ok(json_object_get(input(root, "skull_strip"), "default-value") == NULL);
    json_decref(root);
}

TEST(options_that_do_nothing_or_only_print_are_no_inputs)
{
    json_t *root = descriptor(NP_COMMAND_HELP);

    for (size_t i = 0; i < np_n_options; i++) {
        const struct np_option *option = &np_options[i];
        NP_AUTO(np_freep) char *id = np_xstrdup(option->name);
        for (char *c = id; *c; c++)
            *c = *c == '-' ? '_' : *c;
        bool is_for_it = option->commands & (1u << NP_COMMAND_PARTICIPANT | 1u << NP_COMMAND_GROUP);
        bool expected =
            is_for_it && option->type != NP_OPT_COMMAND && !(option->traits & NP_OPT_DOES_NOTHING);
        if (strcmp(id, "output_dir") != 0)
            tap_check((input(root, id) != NULL) == expected, __FILE__, __LINE__, "%s", id);
    }
    json_decref(root);
}

TEST(every_exit_status_has_its_sentence_and_no_other_has_one)
{
    for (int o = 1; o < NP_N_OUTCOMES; o++) {
        const struct np_outcome_info *info = np_outcome_info((enum np_outcome)o);
        NP_AUTO(np_freep) char *text = np_descriptor_exit_text(info->exit_status);
        ok_contains(text, info->name);
        ok_contains(text, info->meaning);
        ok_contains(text, info->remedy);
    }
    static const int others[] = {0, 2, 99, 126, 127, 128, 139, 161, 255};
    for (size_t i = 0; i < NP_COUNT(others); i++) {
        NP_AUTO(np_freep) char *text = np_descriptor_exit_text(others[i]);
        ok(text == NULL);
    }
    NP_AUTO(np_freep) char *interrupted = np_descriptor_exit_text(128 + 2);
    ok_contains(interrupted, "interrupted");
}

TEST(the_version_names_the_image)
{
    json_t *root = descriptor(NP_COMMAND_IDPS);

    ok_str(member(root, "tool-version"), "1.2.3");
    ok_contains(member(json_object_get(root, "container-image"), "image"), ":1.2.3");
    ok_contains(member(root, "command-line"), "exec neuro-preprocess idps [DERIVATIVES_DIR]");
    json_decref(root);
}

TAP_MAIN

/* Files that make an output folder a BIDS derivative dataset. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "record/description.h"
#include "tap.h"

static char *fresh_folder(const char *name)
{
    char *folder = np_path_join(tap_directory(), name);

    ok_int(np_directory_make(folder, NULL), 0);
    return folder;
}

static void put(const char *folder, const char *name, const char *text)
{
    NP_AUTO(np_freep) char *path = np_path_join(folder, name);

    ok_int(np_file_write_atomic(path, text, strlen(text), NULL), 0);
}

static char *content(const char *folder, const char *name)
{
    NP_AUTO(np_freep) char *path = np_path_join(folder, name);
    struct np_str text = {0};

    ok_int(np_file_read(path, 1 << 20, &text, NULL), 0);
    return np_str_take(&text);
}

static ino_t file_number(const char *folder, const char *name)
{
    NP_AUTO(np_freep) char *path = np_path_join(folder, name);
    struct stat status = {0};

    ok_int(stat(path, &status), 0);
    return status.st_ino;
}

static int write_as(const char *folder, const char *version, struct np_error *err)
{
    const struct np_dataset source = {.root = (char[]){"/data/raw"}};
    struct np_making making = {.options = (char[]){"{\"bias-correction\":\"n4\"}"}};
    const struct np_folder memory = {.making = &making, .n_makings = 1};
    const struct np_description what = {
        .output_dir = folder, .source = &source, .version = version, .folder = &memory};

    return np_description_write(&what, err);
}

TEST(a_new_folder_becomes_a_derivative_dataset)
{
    NP_AUTO(np_freep) char *folder = fresh_folder("new");

    ok_int(write_as(folder, "1.0", NULL), 0);
    NP_AUTO(np_freep) char *text = content(folder, "dataset_description.json");
    ok_contains(text, "\"DatasetType\": \"derivative\"");
    ok_contains(text, "\"Version\": \"1.0\"");
    NP_AUTO(np_freep) char *table = content(folder, "descriptions.tsv");
    ok_contains(table, "desc-preproc\t");
    NP_AUTO(np_freep) char *ignored = content(folder, ".bidsignore");
    ok_contains(ignored, "logs/\n");
}

TEST(a_second_write_touches_no_file)
{
    static const char *const names[] = {"dataset_description.json", ".bidsignore", "README.md",
                                        "CITATION.md", "descriptions.tsv"};
    NP_AUTO(np_freep) char *folder = fresh_folder("twice");
    ino_t before[NP_COUNT(names)];

    ok_int(write_as(folder, "1.0", NULL), 0);
    for (size_t i = 0; i < NP_COUNT(names); i++)
        before[i] = file_number(folder, names[i]);
    ok_int(write_as(folder, "1.0", NULL), 0);
    for (size_t i = 0; i < NP_COUNT(names); i++)
        ok(file_number(folder, names[i]) == before[i]);
}

TEST(another_version_is_added_to_the_one_before)
{
    NP_AUTO(np_freep) char *folder = fresh_folder("versions");

    ok_int(write_as(folder, "1.0", NULL), 0);
    ok_int(write_as(folder, "1.1", NULL), 0);
    ok_int(write_as(folder, "1.0", NULL), 0);
    NP_AUTO(np_freep) char *text = content(folder, "dataset_description.json");
    const char *first = strstr(text, "\"Version\": \"1.0\"");
    ok(first && strstr(first, "\"Version\": \"1.1\""));
    ok(first && !strstr(first + 1, "\"Version\": \"1.0\""));
}

TEST(another_dataset_is_refused_and_left_as_it_is)
{
    static const char *const others[] = {
        "{\"Name\": \"raw\", \"BIDSVersion\": \"1.8.0\"}",
        "{\"DatasetType\": \"raw\", \"GeneratedBy\": [{\"Name\": \"neuro-preprocess\"}]}",
        "{\"DatasetType\": \"derivative\", \"GeneratedBy\": [{\"Name\": \"another\"}]}",
        "{\"DatasetType\": \"derivative\", \"GeneratedBy\": \"neuro-preprocess\"}", "not JSON"};

    for (size_t i = 0; i < NP_COUNT(others); i++) {
        NP_AUTO(np_freep) char *name = np_xasprintf("other%zu", i);
        NP_AUTO(np_freep) char *folder = fresh_folder(name);
        NP_AUTO(np_freep) char *readme = np_path_join(folder, "README.md");
        struct np_error err = {0};
        put(folder, "dataset_description.json", others[i]);
        ok_int(write_as(folder, "1.0", &err), NP_ECONFIG);
        ok_contains(err.text, "dataset_description.json");
        NP_AUTO(np_freep) char *after = content(folder, "dataset_description.json");
        ok_str(after, others[i]);
        ok(!np_path_exists(readme));
    }
}

TEST(files_that_were_there_before_us_are_kept)
{
    NP_AUTO(np_freep) char *folder = fresh_folder("used");

    put(folder, "CITATION.md", "mine");
    put(folder, "README.md", "mine too");
    put(folder, "descriptions.tsv", "another table\n");
    ok_int(write_as(folder, "1.0", NULL), 0);
    ok_int(write_as(folder, "1.1", NULL), 0);
    NP_AUTO(np_freep) char *table = content(folder, "descriptions.tsv");
    ok_str(table, "another table\n");
    NP_AUTO(np_freep) char *citation = content(folder, "CITATION.md");
    NP_AUTO(np_freep) char *readme = content(folder, "README.md");
    ok_str(citation, "mine");
    ok_str(readme, "mine too");
}

TEST(lines_that_a_user_adds_stay)
{
    NP_AUTO(np_freep) char *folder = fresh_folder("added");

    put(folder, ".bidsignore", "extra/\nlogs/");
    put(folder, "descriptions.tsv", "desc_id\tdescription\ndesc-mine\tMine\ndesc-norm\tstale\n");
    ok_int(write_as(folder, "1.0", NULL), 0);
    ok_int(write_as(folder, "1.1", NULL), 0);
    NP_AUTO(np_freep) char *ignored = content(folder, ".bidsignore");
    ok(np_starts_with(ignored, "extra/\nlogs/\n#"));
    ok_contains(ignored, "\n*_biasfield*\n");
    ok(!strstr(strstr(ignored, "logs/") + 1, "logs/"));
    NP_AUTO(np_freep) char *table = content(folder, "descriptions.tsv");
    ok_contains(table, "\ndesc-mine\tMine\n");
    ok_contains(table, "desc-norm\tInside the mask");
    ok(!strstr(table, "stale"));
}

TEST(what_cannot_be_read_stays)
{
    NP_AUTO(np_freep) char *folder = fresh_folder("unreadable");
    NP_AUTO(np_freep) char *path = np_path_join(folder, ".bidsignore");
    char target[64] = "";

    ok_int(symlink("content/not/fetched", path), 0);
    ok_int(write_as(folder, "1.0", NULL), 0);
    ok(readlink(path, target, sizeof(target) - 1) > 0);
    ok_str(target, "content/not/fetched");
}

TEST(the_methods_of_an_earlier_version_are_brought_up_to_date)
{
    NP_AUTO(np_freep) char *folder = fresh_folder("earlier");

    put(folder, "CITATION.md",
        "# Methods\n\nAnatomical images were preprocessed with neuro-preprocess.\n");
    ok_int(write_as(folder, "1.0", NULL), 0);
    NP_AUTO(np_freep) char *methods = content(folder, "CITATION.md");
    ok_contains(methods, "(version 1.0)");
}

TEST(a_readme_is_kept_up_to_date_until_it_is_edited)
{
    NP_AUTO(np_freep) char *folder = fresh_folder("readme");

    ok_int(write_as(folder, "1.0", NULL), 0);
    ok_int(write_as(folder, "1.1", NULL), 0);
    NP_AUTO(np_freep) char *fresh = content(folder, "README.md");
    ok_contains(fresh, "(version 1.0, 1.1)");
    NP_AUTO(np_freep) char *edited = np_xasprintf("Our note.\n%s", fresh);
    put(folder, "README.md", edited);
    ok_int(write_as(folder, "1.2", NULL), 0);
    NP_AUTO(np_freep) char *kept = content(folder, "README.md");
    ok_str(kept, edited);
}

TEST(the_source_is_linked_by_a_name_or_by_its_place)
{
    NP_AUTO(np_freep) char *folder = fresh_folder("linked");
    NP_AUTO(np_strings_done) struct np_strings links = {0};
    NP_AUTO(np_freep) char *root = np_path_join(tap_directory(), "the raw data");
    struct np_dataset source = {.root = root};
    const struct np_folder memory = {0};
    struct np_description what = {
        .output_dir = folder, .source = &source, .version = "1.0", .folder = &memory};

    ok_int(np_description_write(&what, NULL), 0);
    NP_AUTO(np_freep) char *relative = content(folder, "dataset_description.json");
    ok_contains(relative, "\"raw\": \"../the%20raw%20data\"");
    NP_AUTO(np_freep) char *raw = np_description_source_prefix(NULL);
    ok_str(raw, "bids:raw:");
    np_strings_add(&links, "study=https://example.org/d?v=1");
    what.links = &links;
    ok_int(np_description_write(&what, NULL), 0);
    NP_AUTO(np_freep) char *named = content(folder, "dataset_description.json");
    ok_contains(named, "\"study\": \"https://example.org/d?v=1\"");
    NP_AUTO(np_freep) char *prefix = np_description_source_prefix(&links);
    ok_str(prefix, "bids:study:");
}

TAP_MAIN

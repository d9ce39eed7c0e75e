/* Where folders that are bound into a container lie outside of it. */
#include "base/alloc.h"
#include "base/bind.h"
#include "base/str.h"
#include "tap.h"

/* As Apptainer makes it: the root is an image, /data and /out are folders of one disk, /scratch is of
 * another one; /out/in is bound into a folder that is bound. */
static const char MOUNTS[] =
    "100 99 0:50 / / ro,relatime - squashfs /dev/loop0 ro\n"
    "101 100 8:1 /home/u/try/bids /data ro,relatime - ext4 /dev/sda1 rw\n"
    "102 100 8:1 /home/u/try\\040out /out rw,relatime - ext4 /dev/sda1 rw\n"
    "103 100 8:2 / /scratch rw - xfs /dev/sdb1 rw\n"
    "104 102 8:1 /home/u/other /out/in rw - ext4 /dev/sda1 rw\n"
    "105 100 0:60 / /dev rw - tmpfs tmpfs rw\n";

TEST(the_way_between_two_binds_is_that_outside)
{
    static const struct {
        const char *to, *from, *expected;
    } cases[] = {
        {"/data", "/out", "../try/bids"}, /* from "/home/u/try out" */
        {"/data/sub", "/out/a", "../../try/bids/sub"},
        {"/data", "/out/in", "../try/bids"},
        {"/data", "/data/derivatives/x", "../.."},
        {"/scratch/bids", "/scratch/out", "../bids"},
    };

    for (size_t i = 0; i < NP_COUNT(cases); i++) {
        NP_AUTO(np_freep)
        char *found = np_bind_relative_by(MOUNTS, cases[i].to, cases[i].from);
        ok_str(found, cases[i].expected);
    }
}

TEST(folders_of_two_file_systems_are_not_known_by_each_other)
{
    NP_AUTO(np_freep) char *disks = np_bind_relative_by(MOUNTS, "/data", "/scratch/out");
    NP_AUTO(np_freep) char *image = np_bind_relative_by(MOUNTS, "/opt", "/out");
    NP_AUTO(np_freep) char *names = np_bind_relative_by(MOUNTS, "/database", "/out");

    ok(disks == NULL);
    ok(image == NULL);
    ok(names == NULL); /* not below /data */
}

TEST(of_two_mounts_on_one_point_the_last_counts)
{
    NP_AUTO(np_freep)
    char *mounts = np_xasprintf("%s106 100 8:1 /srv /data rw - ext4 x rw\n", MOUNTS);
    NP_AUTO(np_freep) char *found = np_bind_relative_by(mounts, "/data", "/out");

    ok_str(found, "../../../srv");
}

TEST(damaged_lines_are_passed_over)
{
    NP_AUTO(np_freep) char *cut = np_bind_relative_by("101 100 8:1 /a", "/data", "/out");
    NP_AUTO(np_freep) char *nothing = np_bind_relative_by("", "/data", "/out");
    NP_AUTO(np_freep) char *mounts = np_xasprintf("x\n\n 1 2 3 4 5 6\n%s1 1 8:1 /z /data", MOUNTS);
    NP_AUTO(np_freep) char *found = np_bind_relative_by(mounts, "/data", "/out");

    ok(cut == NULL && nothing == NULL);
    ok_str(found, "../try/bids");
}

TAP_MAIN

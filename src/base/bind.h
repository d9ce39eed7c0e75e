/*
 * Binds of a container: where a folder that is bound lies outside. The kernel says of each mount
 * which folder of its file system it shows (/proc/self/mountinfo, proc(5)); where that file system
 * is mounted outside, it does not say. So two folders of one file system are known by their places
 * in it, and the way from one to the other is the same outside.
 */
#ifndef NP_BASE_BIND_H
#define NP_BASE_BIND_H

/*
 * As np_path_relative, but as the way is outside of the container when both paths are bound from one
 * file system; inside no container, or from two file systems, the same as np_path_relative. The
 * caller frees.
 */
char *np_bind_relative(const char *path, const char *directory);

/* The same by the text of a mountinfo, for resolved paths; NULL from two file systems. */
char *np_bind_relative_by(const char *mountinfo, const char *path, const char *directory);

#endif

/* Probable formats of files that are not NIfTI. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "image/nifti_header.h"

/* Formats by the bytes that mark them. */
static const struct {
    size_t offset;
    const char *mark;
    size_t n_mark;
    const char *what;
    const char *remedy;
} formats[] = {
#define CONVERT "convert it to NIfTI first"
#define UNPACK "unpack it first"
#define FETCH "fetch the image again"
    {128, "DICM", 4, "a DICOM file", "convert it first, for example with dcm2niix"},
    {0, "NRRD", 4, "an NRRD file", CONVERT},
    {0, "\x00\x00\x00\x01\x00\x00", 6, "a FreeSurfer MGH file",
     "convert it first, with mri_convert"},
    {0, "\x89HDF", 4, "an HDF5 file (MINC 2?)", CONVERT},
    {0, "CDF\x01", 4, "a NetCDF file (MINC 1?)", CONVERT},
    {0, "ObjectType", 10, "a MetaImage header", CONVERT},
    {0, "SIMPLE  =", 9, "a FITS file", CONVERT},
    {0, "\x89PNG", 4, "a PNG picture", "take the image that it was made from"},
    {0, "\xff\xd8\xff", 3, "a JPEG picture", "take the image that it was made from"},
    {0, "%PDF", 4, "a PDF document", "take the image itself"},
    {0, "\x1f\x8b", 2, "a gzip file", "unpack it once"},
    {0, "PK\x03\x04", 4, "a ZIP archive", UNPACK},
    {0, "BZh", 3, "a bzip2 file", UNPACK},
    {0,
     "\xfd"
     "7zXZ",
     5, "an xz file", UNPACK},
    {0, "\x28\xb5\x2f\xfd", 4, "a Zstandard file", UNPACK},
    {257, "ustar", 5, "a tar archive", UNPACK},
    {0, "<?xml", 5, "an XML document (GIFTI?)", FETCH},
    {0, "{", 1, "a JSON file (a sidecar?)", "name the image, not its sidecar"},
#undef CONVERT
#undef UNPACK
#undef FETCH
};

/* True when the text starts with `word` (lower case), in any case. */
static bool starts(const uint8_t *bytes, size_t n_bytes, const char *word)
{
    size_t n = strlen(word);

    if (n_bytes < n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (tolower(bytes[i]) != word[i])
            return false;
    return true;
}

static const char annex_mark[] = "/annex/objects/";

static bool is_pointer(const uint8_t *bytes, size_t n_bytes)
{
    return starts(bytes, n_bytes, "version https://git-lfs") ||
           memmem(bytes, n_bytes, annex_mark, strlen(annex_mark));
}

static bool is_html(const uint8_t *bytes, size_t n_bytes)
{
    return starts(bytes, n_bytes, "<!doctype html") || starts(bytes, n_bytes, "<html");
}

static bool is_text(const uint8_t *bytes, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        if (bytes[i] >= 127 || (bytes[i] < 32 && !isspace(bytes[i])))
            return false;
    return true;
}

static int refuse_text(const char *path, const char *packing, const uint8_t *bytes, size_t n_bytes,
                       struct np_error *err)
{
    char line[41] = "";
    size_t n = n_bytes < sizeof(line) - 1 ? n_bytes : sizeof(line) - 1;

    for (size_t i = 0; i < n; i++)
        line[i] = bytes[i] >= 32 ? (char)bytes[i] : ' ';
    return np_error_set(err, NP_EFORMAT,
                        "'%s': expected a NIfTI image, found %stext ('%s'); fetch or convert the "
                        "image again",
                        path, packing, line);
}

static int refuse_bytes(const char *path, const char *packing, const uint8_t *bytes, size_t n_bytes,
                        struct np_error *err)
{
    char begin[3 * 8 + 1] = "";

    for (size_t i = 0; i < 8 && i < n_bytes; i++)
        snprintf(begin + 3 * i, 4, " %02x", bytes[i]);
    return np_error_set(err, NP_EFORMAT,
                        "'%s': expected a NIfTI image (a header of 348 or 540 bytes), found %sdata "
                        "of an unknown format (first bytes%s); fetch or convert the image again",
                        path, packing, begin);
}

int np_nifti_refuse(const char *path, const char *packing, const uint8_t *bytes, size_t n_bytes,
                    struct np_error *err)
{
    if (n_bytes == 0)
        return np_error_set(err, NP_ETRUNCATED,
                            "'%s': expected a NIfTI image, found %s0 bytes; fetch or convert the "
                            "image again",
                            path, packing);
    if (is_pointer(bytes, n_bytes))
        return np_error_set(err, NP_ECONTENT,
                            "'%s': expected the image, found a pointer to content that is not "
                            "here; fetch it with %s",
                            path,
                            *bytes == 'v' ? "'git lfs pull'" : "'datalad get' or 'git annex get'");
    if (is_html(bytes, n_bytes))
        return np_error_set(err, NP_EFORMAT,
                            "'%s': expected a NIfTI image, found %sa web page (HTML: the answer of "
                            "a download that failed?); fetch the image again",
                            path, *packing ? "in the gzip file " : "");
    for (size_t i = 0; i < NP_COUNT(formats); i++)
        if (n_bytes >= formats[i].offset + formats[i].n_mark &&
            memcmp(bytes + formats[i].offset, formats[i].mark, formats[i].n_mark) == 0)
            return np_error_set(err, NP_EFORMAT, "'%s': expected a NIfTI image, found %s%s; %s",
                                path, *packing ? "in the gzip file " : "", formats[i].what,
                                formats[i].remedy);
    if (is_text(bytes, n_bytes))
        return refuse_text(path, packing, bytes, n_bytes, err);
    return refuse_bytes(path, packing, bytes, n_bytes, err);
}

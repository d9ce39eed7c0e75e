/* Files of the output folder that more than one room names, as paths below it. */
#ifndef NP_CATALOG_OUTPUT_FILE_H
#define NP_CATALOG_OUTPUT_FILE_H

#define NP_FILE_METHODS "CITATION.md"
#define NP_FILE_STATUS_TABLE "logs/status.tsv"

#endif

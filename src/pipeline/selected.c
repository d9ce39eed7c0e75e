#include "pipeline/selected.h"

int np_dataset_open_selected(const struct np_config *config, struct np_dataset **dataset,
                             struct np_error *err)
{
    const struct np_selection selection = {.participants = &config->participants,
                                           .sessions = &config->sessions,
                                           .modalities = &config->modalities,
                                           .runs = &config->runs,
                                           .echoes = &config->echoes,
                                           .filter_file = config->bids_filter_file,
                                           .session_list = config->session_list};

    return np_dataset_open(config->bids_dir, &selection, dataset, err);
}

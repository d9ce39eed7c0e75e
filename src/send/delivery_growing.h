/* Functions of a delivery for the sender of a record that its run still writes. */
#ifndef NP_SEND_DELIVERY_GROWING_H
#define NP_SEND_DELIVERY_GROWING_H

#include "send/delivery.h"

/* Read the record for the first time when the exporters' delays are over, as the batch processors
 * of OpenTelemetry do. A run that is shorter sends each signal once, at its end. */
void np_send_delivery_wait_first(struct np_send_delivery *delivery);

/* The run has ended: the record does not grow any more. */
void np_send_delivery_set_complete(struct np_send_delivery *delivery);

/* The bytes at the record's beginning that are settled for every signal; INT64_MAX when none is
 * sent. */
int64_t np_send_delivery_done_bytes(const struct np_send_delivery *delivery);

#endif

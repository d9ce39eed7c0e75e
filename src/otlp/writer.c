#include "otlp/writer.h"

void np_otlp_write_attribute(struct np_otlp_writer *writer, const struct np_otlp_field *field,
                             const struct np_otlp_attribute *attribute)
{
    const struct np_otlp_format *format = writer->format;
    const struct np_otlp_value key = {.as.string = attribute->key, .n = attribute->n_key};

    format->message_begin(writer, field);
    if (key.n > 0)
        format->scalar(writer, &np_otlp_fields[NP_FIELD_KEY], &key);
    format->message_begin(writer, &np_otlp_fields[NP_FIELD_VALUE]);
    format->scalar(writer, attribute->member, &attribute->value);
    format->message_end(writer);
    format->message_end(writer);
}

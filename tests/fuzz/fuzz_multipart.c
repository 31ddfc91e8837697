/*
 * Whatever somebody uploads: parts lie within the body, one behind the other, each has a name, and a body that was read
 * to its end ends with its boundary.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "knowledge/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *must_follow(const char *behind, struct str s, struct str body)
{
	if (s.p < behind || s.n > (size_t)(body.p + body.n - s.p))
		abort();
	return s.p + s.n;
}

/* The first line is the content type, the rest the body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str body = { (const char *)data, size };
	struct str type = str_cut(&body, '\n');
	struct multipart multipart;
	struct multipart_part part;
	const char *behind;
	enum err e = multipart_start(type, body, &multipart);

	if (e != OK)
		return e == ERR_UNSUPPORTED_MEDIA_TYPE || e == ERR_BAD_REQUEST ? 0 : (abort(), 0);
	behind = body.p;
	while ((e = multipart_next(&multipart, &part)) == OK) {
		if (str_absent(part.name) || str_absent(part.value))
			abort();
		behind = must_follow(behind, part.value, body);
	}
	if (e == ERR_END && !str_ends(body, STR("--")) && !str_ends(body, STR("--\r\n")))
		abort();
	if (e != ERR_END && e != ERR_BAD_REQUEST)
		abort();
	return 0;
}

/* One byte that chooses an operation of the fixture, then a body: JSON against generated checks. */
#include <stdint.h>
#include <stdlib.h>

#include "api/check.h"
#include "api/route.h"
#include "base/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum operation WITH_BODY[] = { OP_THING_CREATE, OP_THING_UPDATE, OP_THING_TEST };

static void check_body(struct arena *arena, const struct route *route, const json_t *body)
{
	struct route_match match = { .route = route,
				     .param = { STR("cred-00000000000000000000000001") } };
	struct problem problem;
	void *in;

	problem_clear(&problem);
	enum err e = route_read(&match, STR_NONE, body, arena, &problem, &in);
	if (e != OK && e != ERR_BAD_INPUT && e != ERR_NO_MEMORY)
		abort();
	if ((e == OK) != (in != NULL) || (e == ERR_BAD_INPUT) != (problem.count > 0))
		abort();
	for (size_t i = 0; i < problem.count; i++)
		if (!str_is_utf8(problem.field[i].field) || problem.field[i].message.n == 0)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena *arena;
	json_t *body;

	if (!arena) {
		arena = arena_new(8 << 20);
		if (!arena || json_setup() != OK || check_setup() != OK)
			abort();
	}
	if (size == 0)
		return 0;
	if (json_read(arena, (struct str){ (const char *)data + 1, size - 1 }, &body, NULL) == OK)
		check_body(arena, &ROUTES[WITH_BODY[data[0] % ARRAY_SIZE(WITH_BODY)]], body);
	arena_reset(arena);
	return 0;
}

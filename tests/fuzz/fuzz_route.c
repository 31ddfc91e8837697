/* "METHOD path?query": the first thing that hostile input meets. */
#include <stdint.h>
#include <stdlib.h>

#include "api/check.h"
#include "api/route.h"
#include "base/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena *arena;
	struct str query = { (const char *)data, size };
	struct route_match match;
	struct problem problem;
	void *in;

	if (!arena) {
		arena = arena_new(8 << 20);
		if (!arena || json_setup() != OK || check_setup() != OK)
			abort();
	}
	struct str method = str_cut(&query, ' ');
	struct str path = str_cut(&query, '?');
	enum err e = route_find(method, path, &match);
	if ((e == OK) != (match.route != NULL))
		abort();
	if (e == OK) {
		problem_clear(&problem);
		e = route_read(&match, query, NULL, arena, &problem, &in);
		if ((e == OK) != (in != NULL) || (e == ERR_BAD_INPUT) != (problem.count > 0))
			abort();
		/* The answer shows these: they must be texts. */
		for (size_t i = 0; i < problem.count; i++)
			if (!str_is_utf8(problem.field[i].field) || problem.field[i].message.n == 0)
				abort();
	}
	arena_reset(arena);
	return 0;
}

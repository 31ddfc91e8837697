#include "core/problem.h"

#include <string.h>

void problem_clear(struct problem *problem) { memset(problem, 0, sizeof *problem); }

enum err problem_field(struct problem *problem, struct str field, const char *code, const char *message)
{
	if (problem->count < PROBLEM_FIELDS_MAX)
		problem->field[problem->count++] =
			(struct problem_field){ .field = field, .code = code, .message = str_of(message) };
	return ERR_BAD_INPUT;
}

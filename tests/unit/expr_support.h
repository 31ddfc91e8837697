/* latch-expr itself, started for a test in a directory of its own. */
#ifndef LW_TESTS_EXPR_SUPPORT_H
#define LW_TESTS_EXPR_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "expr/expr.h"

enum { SERVICE_CHILDREN_MAX = 32 };

/* Whether the limit of memory is there: sanitizers can't live with it. */
#if defined(__SANITIZE_ADDRESS__)
enum { SERVICE_LIMITS_MEMORY = 0 };
#else
enum { SERVICE_LIMITS_MEMORY = 1 };
#endif

struct service {
	pid_t pid;
	char directory[64];
	char socket[100];
};

/* Starts it with these lines in the section [expression], and waits until it answers. Fails the test otherwise. */
void service_start(struct service *service, const char *lines);
/* SIGTERM; its exit status. Removes the directory. */
int service_stop(struct service *service);
/* The log that it has written so far; the caller frees it. */
char *service_log(const struct service *service);
/* Its evaluators. */
size_t service_children(const struct service *service, pid_t ret_pids[SERVICE_CHILDREN_MAX]);
struct expr *service_client(const struct service *service);

/* The JSON that the program yields on `input`; fails the test when it doesn't. Valid until the next call. */
const char *service_yields(struct expr *expr, struct str program, struct str input);
/* Why it yields nothing; EXPR_OK when it did. Words are in `service_failure`. */
enum expr_why service_evaluate(struct expr *expr, struct str program, struct str input);
extern struct expr_failure service_failure;
extern enum err service_error;

#endif

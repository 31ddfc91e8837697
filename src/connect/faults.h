/* What is wrong with a type's file: collected while it is read and checked. Of this room. */
#ifndef LW_CONNECT_FAULTS_H
#define LW_CONNECT_FAULTS_H

#include <stddef.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

enum { FAULT_PLACE_MAX = 160 };

/* Called for each fault: `member` is its place in the file ("oauth2.token_url", "fields[2].pattern"), "" the file. */
typedef void (*fault_fn)(void *arg, const char *member, const char *words);

struct faults {
	fault_fn report;
	void *arg;
	size_t count;
	enum err error; /* of ours: memory */
	char place[FAULT_PLACE_MAX];
	size_t n;
};

/* Goes to a member or an item of the place; returns what faults_leave takes to go back. */
size_t faults_enter(struct faults *faults, struct str member);
size_t faults_enter_item(struct faults *faults, size_t index);
void faults_leave(struct faults *faults, size_t before);
/* One fault at the place. */
void fault(struct faults *faults, const char *format, ...) PRINTF_LIKE(2, 3);

#endif

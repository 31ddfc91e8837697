/*
 * latchctl's frame: what a verb gets, and how it speaks.
 *
 * A verb returns OK, or says with ctl_fail why not. Results go to stdout, as
 * text or, with --json, as JSON; everything else goes to stderr.
 */
#ifndef LW_MAIN_CTL_H
#define LW_MAIN_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/ctx.h"
#include "main/start.h"

enum { CTL_ARGUMENTS_MAX = 256, CTL_OPTIONS_MAX = 32, CTL_COLUMNS_MAX = 8, CTL_PAGE = 200 };

struct ctl {
	const struct ctl_verb *verb;
	const char *argument[CTL_ARGUMENTS_MAX]; /* in the order of the usage; NULL: left out */
	const char *option[CTL_OPTIONS_MAX];     /* by the order of options.def; "" for one without an argument */
	struct config *config;
	struct ctx cx; /* WHO_SYSTEM; its parts are opened by ctl_open */
};

struct ctl_verb {
	const char *name;  /* "key rotate" */
	const char *usage; /* "SET [--tenant ID]" */
	enum err (*run)(struct ctl *ctl);
	const char *words;
};

#define VERB(name, usage, run, words) enum err run(struct ctl *ctl) MUST_CHECK;
#include "main/verbs.def"
#undef VERB

extern const struct ctl_verb CTL_VERBS[];
extern const size_t CTL_VERB_COUNT;

/* The value of an option (""  when it takes none), or NULL when it wasn't given. */
const char *ctl_option(const struct ctl *ctl, const char *name);

/* --- what a verb needs ------------------------------------------------------ */
enum ctl_needs { CTL_FRONT_KEYS = 1, CTL_VAULT_KEYS = 2 };

/* Configuration and database (as that account), and the keys that are named. Closed by the frame. */
enum err ctl_open(struct ctl *ctl, enum account account, unsigned needs) MUST_CHECK;
/* The scope of --tenant, or of `id` when that isn't NULL; ERR_NOT_FOUND is said when it isn't there. */
enum err ctl_enter_tenant(struct ctl *ctl, const char *id) MUST_CHECK;
/* Makes the account of --email the one that acts in the tenant (created_by and so on). */
enum err ctl_act_as(struct ctl *ctl) MUST_CHECK;
/* The secret in the file that an option names. */
enum err ctl_secret(struct ctl *ctl, const char *option, struct secret *ret_secret) MUST_CHECK;
/* Runs fn in a transaction with one audit row of that action, and again when the database asks for it. */
typedef enum err (*ctl_change_fn)(struct ctl *ctl, void *arg);
enum err ctl_change(struct ctl *ctl, enum audit_action action, ctl_change_fn fn, void *arg) MUST_CHECK;

/* --- how it speaks ----------------------------------------------------------- */
/* Says why on stderr, and returns the error. */
enum err ctl_fail(enum err e, const char *format, ...) PRINTF_LIKE(2, 3);
/* The usual words for an error, unless it is OK. */
enum err ctl_say(enum err e, const char *what);
/* The same for a rule that names the bad member: its words. */
enum err ctl_say_field(const struct ctl *ctl, enum err e, const char *what);
/* What was done: a line of text, or with --json one {"note": ...}; nothing with --quiet. */
void ctl_note(const struct ctl *ctl, const char *format, ...) PRINTF_LIKE(2, 3);
/* A bar on a terminal's stderr. `total` 0: only a count. Ends its line when done == total. */
void ctl_progress(void *ctl, int64_t done, int64_t total);

/* A list: a header, rows of text, an end. With --json an array of objects whose members are the columns. */
struct ctl_list {
	const struct ctl *ctl;
	const char *const *columns;
	size_t count;
	size_t rows;
	bool single; /* one object, not an array */
};
void ctl_list_begin(struct ctl_list *list, const struct ctl *ctl, const char *const *columns, size_t count);
/* A time for a row; absent when there is none. */
struct str ctl_time(struct opt_int ms, char text[TIME_TEXT_MAX]);
/* One object alone. */
void ctl_object_begin(struct ctl_list *list, const struct ctl *ctl, const char *const *columns, size_t count);
/* As many values as columns; absent ones are null, or "-". */
void ctl_list_row(struct ctl_list *list, const struct str *values);
void ctl_list_end(struct ctl_list *list);

/* What a list shows that is read in pages of CTL_PAGE rows. */
struct ctl_pages {
	const char *what; /* for errors: "accounts" */
	const char *const *columns;
	size_t count;
	struct id start; /* what the first page begins behind */
	enum err (*page)(struct db *db, const struct id *behind);
	/* Reads and prints a row of the page; ERR_END when that was all. The next page begins behind ret_id. */
	enum err (*row)(struct ctl_list *list, struct id *ret_id);
};
/* The whole list, from begin to end; says why when it fails. */
enum err ctl_list_pages(const struct ctl *ctl, const struct ctl_pages *pages) MUST_CHECK;

#endif

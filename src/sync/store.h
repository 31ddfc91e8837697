/* Records as they are stored, and a run's row. */
#ifndef LW_SYNC_STORE_H
#define LW_SYNC_STORE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/ctx.h"
#include "sync/page.h"

enum { SYNC_RECORD_BYTES = 256 << 10 };

/* A run over all lists of a connector. */
struct sync_run {
	struct id id, connector;
	struct str state;
	struct str collection; /* being read; absent: none yet */
	int64_t page;          /* pages of it that are stored */
	struct str
		next; /* of the page behind them; absent with `page` above 0: the list was read to its end */
	int64_t pages;                                         /* of all lists */
	int64_t fetched, created, updated, unchanged, skipped; /* rows */
	struct str error_code, error_message;
	struct opt_int started_at;
};

/* ERR_NOT_FOUND. Texts are the arena's. */
enum err sync_run_read(struct ctx *cx, const struct id *id, struct sync_run *ret_run) MUST_CHECK;
/* `finished_at` not set: it goes on. */
enum err sync_run_write(struct ctx *cx, const struct sync_run *run,
			struct opt_int finished_at) MUST_CHECK;

/*
 * Creates or updates the records of a page's rows, and counts them in `run`; what is as it was isn't written. A row
 * that is too large, or that holds one of `secrets`, is skipped. Part of the caller's transaction.
 */
enum err sync_store_rows(struct ctx *cx, const struct sync_page *page, struct texts secrets,
			 struct sync_run *run) MUST_CHECK;

#endif

/*
 * Knowledge: what a tenant tells its models, as passages of text that a question
 * finds.
 */
#ifndef LW_KNOWLEDGE_KNOWLEDGE_H
#define LW_KNOWLEDGE_KNOWLEDGE_H

#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/ctx.h"
#include "jobs/runner.h"

enum {
	KNOWLEDGE_FILE_MAX = 10 << 20,
	KNOWLEDGE_TEXT_MAX = 4 << 20,
	KNOWLEDGE_PASSAGE_CHARS = 1200
};

/*
 * Appends the enabled passages of the scope's tenant that fit the question best, each with its source's title, at most
 * `room` bytes of them; nothing when none fits. Not within a transaction that has changed passages.
 */
enum err knowledge_pick(struct ctx *cx, struct str question, size_t room, struct buf *out) MUST_CHECK;

/* Reads a PDF of ours as one that was uploaded. An error, ERR_PDF_READER_AWAY mostly: none can be read here. */
enum err knowledge_try_pdf(void) MUST_CHECK;

/* Of the kind knowledge_read: takes the text out of one source. */
enum err job_knowledge_read(struct ctx *cx, struct run *run) MUST_CHECK;
/* It ended its workers, or the database refused what it wrote: the source has failed. */
enum err knowledge_read_buried(struct ctx *cx, const struct job *job) MUST_CHECK;

/* Removes all of the scope's tenant, in the transaction that deletes it. latchctl only. */
enum err knowledge_forget_tenant(struct ctx *cx) MUST_CHECK;

#endif

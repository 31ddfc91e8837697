/* One source of knowledge. Of this room. */
#ifndef LW_KNOWLEDGE_SOURCE_H
#define LW_KNOWLEDGE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/ctx.h"

enum { SOURCE_TITLE_MAX = 300, SOURCE_ANSWER_MAX = 20000 };

struct source {
	struct id id;
	struct str kind; /* pdf, page or manual */
	struct str title;
	struct str source; /* a file's name or a page's address; absent: manual */
	struct str status; /* waiting, ready or failed */
	struct str error_code, error_message;
	bool enabled;
	int64_t characters;
	struct id created_by;
	int64_t created_at, updated_at;
};

/* Of any of the rows that hold one whole. */
#define SOURCE_OF(row)                                        \
	((struct source){ .id = (row).knowledge_id,           \
			  .kind = (row).kind,                 \
			  .title = (row).title,               \
			  .source = (row).source,             \
			  .status = (row).status,             \
			  .error_code = (row).error_code,     \
			  .error_message = (row).error_message, \
			  .enabled = (row).enabled,           \
			  .characters = (row).characters,     \
			  .created_by = (row).created_by,     \
			  .created_at = (row).created_at,     \
			  .updated_at = (row).updated_at })

struct json_writer;

/* The members of its answer, within an object. */
void source_write(struct json_writer *w, const struct source *source);
/* The answer about one, with its tag. */
enum err source_answer(struct ctx *cx, const struct source *source, struct reply *reply) MUST_CHECK;

/* What an answer to a question is as a text, tidied, in the arena. */
enum err source_manual_text(struct ctx *cx, struct str question, struct str answer, struct str *ret_text) MUST_CHECK;
/* Replaces the source's passages by those of the tidy text, in the caller's transaction. */
enum err source_put_passages(struct ctx *cx, const struct id *id, struct str text) MUST_CHECK;

#endif

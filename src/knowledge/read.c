/* The job knowledge_read: takes the text out of a file or a page, and cuts it into passages. */
#include "knowledge/knowledge.h"
#include "knowledge/page.h"
#include "knowledge/pdf.h"
#include "knowledge/source.h"
#include "store/sql_knowledge.h"

enum { PIECE = 1 << 20, WORDS_MAX = 500, TITLE_BYTES = 4096 };

struct reading {
	struct source source;
	struct buf text, title;
	enum err failure; /* OK: the text is there */
};

/* --- what there is to read -------------------------------------------------------------- */

static enum err load_file(struct ctx *cx, const struct id *id, struct buf *file)
{
	struct sql_knowledge_file_piece_in query = { .knowledge_id = *id, .bytes = PIECE };
	struct sql_knowledge_file_piece_row row;

	do {
		query.at = (int64_t)file->n + 1;
		TRY(sql_knowledge_file_piece(cx->db, &query, &row));
		buf_add_str(file, row.piece);
		TRY(buf_error(file));
	} while (row.piece.n == PIECE);
	return OK;
}

static enum err read_pdf(struct ctx *cx, struct reading *r)
{
	BUF_AUTO struct buf file = { 0 };

	buf_init(&file, KNOWLEDGE_FILE_MAX);
	TRY(load_file(cx, &r->source.id, &file));
	return pdf_text(buf_str(&file), &r->text);
}

static enum err read_source(struct ctx *cx, struct reading *r)
{
	if (str_eq(r->source.kind, STR("pdf")))
		return read_pdf(cx, r);
	return page_text(cx, r->source.source, &r->title, &r->text);
}

/* --- what becomes of it -------------------------------------------------------------------- */

/* A page that nobody gave a title has its address there. */
static struct str title_of(const struct reading *r, const struct source *now)
{
	struct str found = str_utf8_cut(buf_str(&r->title), SOURCE_TITLE_MAX);
	bool unnamed = str_eq(now->kind, STR("page")) && str_eq(now->title, str_utf8_cut(now->source, SOURCE_TITLE_MAX));

	return unnamed && found.n > 0 ? found : now->title;
}

static enum err fail(struct ctx *cx, const struct id *id, enum err why)
{
	const struct sql_knowledge_failed_in row = { .knowledge_id = *id,
						     .error_code = str_of(err_code(why)),
						     .error_message = str_utf8_cut(str_of(err_words(why)), WORDS_MAX) };

	TRY(sql_knowledge_failed(cx->db, &row, NULL));
	return sql_knowledge_file_delete(cx->db, &(struct sql_knowledge_file_delete_in){ *id }, NULL);
}

/* It may have been renamed, or removed, in the meantime. */
static enum err settle(struct ctx *cx, void *arg)
{
	const struct reading *r = arg;
	struct sql_knowledge_lock_row row;
	enum err e = sql_knowledge_lock(cx->db, &(struct sql_knowledge_lock_in){ r->source.id }, &row);

	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	if (r->failure != OK)
		return fail(cx, &r->source.id, r->failure);
	TRY(sql_knowledge_ready(cx->db,
				&(struct sql_knowledge_ready_in){
					.knowledge_id = r->source.id,
					.title = title_of(r, &SOURCE_OF(row)),
					.characters = (int64_t)str_utf8_length(buf_str(&r->text)) },
				NULL));
	TRY(source_put_passages(cx, &r->source.id, buf_str(&r->text)));
	return sql_knowledge_file_delete(cx->db, &(struct sql_knowledge_file_delete_in){ r->source.id }, NULL);
}

/* Whether another try may fare better: it is about the network or this machine, and not about what was read. */
static bool may_pass(enum err e)
{
	return e != OK && e != ERR_HOST_FORBIDDEN && err_status(e) >= 500;
}

static enum err read_and_settle(struct ctx *cx, struct run *run, struct reading *r)
{
	const struct job_kind_facts *facts = job_kind_facts(run->job->kind);

	r->failure = read_source(cx, r);
	if (err_is_outage(r->failure) || (may_pass(r->failure) && run->job->attempts < facts->attempts))
		return r->failure;
	return run_commit(cx, run, settle, r);
}

static enum err copy_texts(struct arena *arena, struct source *source)
{
	source->kind = arena_copy(arena, source->kind);
	source->source = arena_copy(arena, str_absent(source->source) ? STR("") : source->source);
	return str_absent(source->kind) || str_absent(source->source) ? ERR_NO_MEMORY : OK;
}

enum err job_knowledge_read(struct ctx *cx, struct run *run)
{
	const struct sql_knowledge_lock_in query = { run->job->subject.v };
	struct reading r = { .failure = OK };
	struct sql_knowledge_lock_row row;
	enum err e = sql_knowledge_lock(cx->db, &query, &row);

	if (e == ERR_NOT_FOUND || (e == OK && !str_eq(row.status, STR("waiting"))))
		return run_commit(cx, run, NULL, NULL);
	TRY(e);
	r.source = SOURCE_OF(row);
	TRY(copy_texts(cx->arena, &r.source));
	buf_init(&r.text, KNOWLEDGE_TEXT_MAX);
	buf_init(&r.title, TITLE_BYTES);
	e = read_and_settle(cx, run, &r);
	buf_done(&r.text);
	buf_done(&r.title);
	return e;
}

enum err knowledge_read_buried(struct ctx *cx, const struct job *job)
{
	return fail(cx, &job->subject.v, ERR_KNOWLEDGE_GAVE_UP);
}

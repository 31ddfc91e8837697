/* POST /knowledge/manual, /knowledge/scrape and /knowledge/pdf */
#include "core/operations.h"
#include "fcgi/reply.h"
#include "fcgi/request.h"
#include "jobs/queue.h"
#include "knowledge/knowledge.h"
#include "knowledge/multipart.h"
#include "knowledge/pdf.h"
#include "knowledge/source.h"
#include "store/sql_knowledge.h"

enum { SOURCES_MAX = 1000, CHARACTERS_MAX = 200000000, FILE_NAME_MAX = 300, PIECE = 4 << 20 };

/* --- all of them --------------------------------------------------------------------------- */

static enum err check_room(struct ctx *cx, int64_t characters)
{
	struct sql_knowledge_room_row there;

	TRY(sql_knowledge_room(cx->db, &(struct sql_knowledge_room_in){ KNOWLEDGE_TEXT_MAX }, &there));
	return there.sources < SOURCES_MAX && there.characters + characters <= CHARACTERS_MAX ? OK : ERR_KNOWLEDGE_FULL;
}

static enum err insert(struct ctx *cx, struct source *source)
{
	TRY(check_room(cx, str_eq(source->status, STR("ready")) ? source->characters : KNOWLEDGE_TEXT_MAX));
	TRY(id_new(&source->id));
	ctx_audit_target(cx, ID_KNOWLEDGE, &source->id);
	ctx_audit_detail(cx, "kind", source->kind);
	source->enabled = true;
	source->created_by = cx->who.user;
	source->created_at = source->updated_at = cx->now_ms;
	return sql_knowledge_insert(cx->db,
				    &(struct sql_knowledge_insert_in){ .knowledge_id = source->id,
								       .kind = source->kind,
								       .title = source->title,
								       .source = source->source,
								       .status = source->status,
								       .characters = source->characters },
				    NULL);
}

static enum err insert_and_read(struct ctx *cx, struct source *source)
{
	TRY(insert(cx, source));
	return job_add(cx, &(struct job_new){ .kind = JOB_KNOWLEDGE_READ, .subject = { true, source->id } }, NULL);
}

/* --- a question and its answer --------------------------------------------------------------- */

enum err knowledge_manual(struct ctx *cx, const struct knowledge_manual_in *in, struct reply *reply)
{
	struct source source = { .kind = STR("manual"), .title = in->question, .status = STR("ready") };
	struct str text;

	TRY(source_manual_text(cx, in->question, in->answer, &text));
	source.characters = (int64_t)str_utf8_length(text);
	TRY(insert(cx, &source));
	TRY(source_put_passages(cx, &source.id, text));
	reply->status = 201;
	return source_answer(cx, &source, reply);
}

/* --- a page -------------------------------------------------------------------------------------- */

/* The guard decides when it is fetched; this says early what never can be. */
static enum err check_url(struct ctx *cx, struct str url)
{
	if (str_starts(url, STR("https://")) || str_starts(url, STR("http://")))
		return OK;
	return ctx_bad_field(cx, "url", "BAD_FORMAT", "must begin with https://");
}

enum err knowledge_scrape(struct ctx *cx, const struct knowledge_scrape_in *in, struct reply *reply)
{
	struct source source = { .kind = STR("page"), .source = in->url, .status = STR("waiting") };

	TRY(check_url(cx, in->url));
	source.title = str_absent(in->title) ? str_utf8_cut(in->url, SOURCE_TITLE_MAX) : in->title;
	TRY(insert_and_read(cx, &source));
	reply->status = 202;
	return source_answer(cx, &source, reply);
}

/* --- a file ---------------------------------------------------------------------------------------- */

struct upload {
	struct str file; /* absent: it wasn't sent */
	struct str name; /* of the file; absent: none that could be kept */
	struct str title;
};

static bool is_line(struct str s, size_t most)
{
	return s.n > 0 && str_is_utf8(s) && !str_has_control(s) && str_utf8_length(s) <= most;
}

/* Without the directories that some browsers send along. */
static struct str base_name(struct str name)
{
	for (size_t i = name.n; i-- > 0;)
		if (name.p[i] == '/' || name.p[i] == '\\')
			return str_slice(name, i + 1, name.n);
	return name;
}

static enum err take_part(struct ctx *cx, const struct multipart_part *part, struct upload *upload)
{
	bool is_file = str_eq(part->name, STR("file"));
	struct str *place = is_file ? &upload->file : &upload->title;

	if (!is_file && !str_eq(part->name, STR("title")))
		return ctx_fail(cx, ERR_BAD_REQUEST, "A part is neither file nor title.");
	if (!str_absent(*place))
		return ctx_fail(cx, ERR_BAD_REQUEST, "A part is there twice.");
	*place = part->value;
	if (!is_file)
		return is_line(part->value, SOURCE_TITLE_MAX)
			       ? OK
			       : ctx_bad_field(cx, "title", "BAD_FORMAT", "is one line of 1 to 300 characters");
	if (!str_absent(part->filename) && is_line(base_name(part->filename), FILE_NAME_MAX))
		upload->name = base_name(part->filename);
	return OK;
}

static enum err check_file(struct ctx *cx, struct str file)
{
	if (str_absent(file))
		return ctx_bad_field(cx, "file", "REQUIRED", "is the PDF");
	if (file.n > KNOWLEDGE_FILE_MAX)
		return ctx_fail(cx, ERR_BODY_TOO_LARGE, "A PDF has at most 10 MiB.");
	return pdf_is(file) ? OK : ERR_NOT_A_PDF;
}

static enum err read_upload(struct ctx *cx, struct upload *ret_upload)
{
	struct multipart multipart;
	struct multipart_part part;
	enum err e;

	*ret_upload = (struct upload){ .file = STR_NONE };
	e = multipart_start(cx->request->content_type, cx->request->body, &multipart);
	if (e == ERR_UNSUPPORTED_MEDIA_TYPE)
		return ctx_fail(cx, e, "This route takes multipart/form-data.");
	while (e == OK && (e = multipart_next(&multipart, &part)) == OK)
		TRY(take_part(cx, &part, ret_upload));
	if (e == ERR_BAD_REQUEST)
		return ctx_fail(cx, e, "The body isn't what multipart/form-data is.");
	TRY(e == ERR_END ? OK : e);
	return check_file(cx, ret_upload->file);
}

static enum err keep_file(struct ctx *cx, const struct id *id, struct str file)
{
	TRY(sql_knowledge_file_insert(cx->db, &(struct sql_knowledge_file_insert_in){ *id, str_slice(file, 0, PIECE) },
				      NULL));
	for (size_t at = PIECE; at < file.n; at += PIECE)
		TRY(sql_knowledge_file_append(
			cx->db, &(struct sql_knowledge_file_append_in){ *id, str_slice(file, at, PIECE) }, NULL));
	return OK;
}

static struct str title_of(const struct upload *upload)
{
	if (!str_absent(upload->title))
		return upload->title;
	return str_absent(upload->name) ? STR("PDF") : upload->name;
}

enum err knowledge_pdf(struct ctx *cx, const struct knowledge_pdf_in *in, struct reply *reply)
{
	struct source source = { .kind = STR("pdf"), .status = STR("waiting") };
	struct upload upload;

	(void)in;
	TRY(read_upload(cx, &upload));
	source.title = title_of(&upload);
	source.source = upload.name;
	TRY(insert_and_read(cx, &source));
	TRY(keep_file(cx, &source.id, upload.file));
	reply->status = 202;
	return source_answer(cx, &source, reply);
}

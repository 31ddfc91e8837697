/* Where each service's figures go, over HTTP. */
#include "base/json_write.h"
#include "core/answer.h"
#include "core/ctx.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "store/sql_service.h"

static void write_mapping(struct json_writer *w, struct str service, struct str spreadsheet,
			  struct str sheet, int64_t updated_at)
{
	jw_object(w);
	jw_put_text(w, "service", service);
	jw_put_text(w, "spreadsheet_id", spreadsheet);
	jw_put_text(w, "sheet_name", sheet);
	answer_time(w, "updated_at", updated_at);
	jw_object_end(w);
}

enum err sheet_mapping_list(struct ctx *cx, const struct sheet_mapping_list_in *in,
			    struct reply *reply)
{
	struct sql_sheet_mapping_list_row row;
	struct json_writer w;
	enum err e;

	(void)in;
	TRY(sql_sheet_mapping_list(cx->db));
	jw_start(&w, &reply->body);
	jw_array(&w);
	while ((e = sql_sheet_mapping_list_next(cx->db, &row)) == OK)
		write_mapping(&w, row.service, row.spreadsheet_id, row.sheet_name, row.updated_at);
	if (e != ERR_END)
		return e;
	jw_array_end(&w);
	return buf_error(&reply->body);
}

enum err sheet_mapping_set(struct ctx *cx, const struct sheet_mapping_set_in *in,
			   struct reply *reply)
{
	const struct sql_sheet_mapping_set_in row = { in->service, in->spreadsheet_id,
						      in->sheet_name };
	struct json_writer w;

	cx->audit.service = in->service;
	TRY(sql_sheet_mapping_set(cx->db, &row, NULL));
	jw_start(&w, &reply->body);
	write_mapping(&w, in->service, in->spreadsheet_id, in->sheet_name, cx->now_ms);
	return buf_error(&reply->body);
}

/* GET, POST, PATCH, DELETE /members */
#include "core/answer.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "identity/invitation.h"
#include "identity/member.h"

static void write_member(struct json_writer *w, const struct id *user, struct str email,
			 struct str name, struct str role, int64_t created_at)
{
	jw_object(w);
	answer_id(w, "user_id", ID_USER, user);
	jw_put_text(w, "email", email);
	jw_put_text(w, "name", name);
	jw_put_text(w, "role", role);
	answer_time(w, "created_at", created_at);
	jw_object_end(w);
}

enum err member_list(struct ctx *cx, const struct member_list_in *in, struct reply *reply)
{
	struct sql_member_list_in sql = { .limit = in->limit + 1 };
	struct sql_member_list_row row;
	struct answer_page page;
	enum err e;

	TRY(ctx_cursor_read(cx, in->cursor, &sql.before));
	TRY(sql_member_list(cx->db, &sql));
	answer_page_start(&page, reply, in->limit);
	while ((e = sql_member_list_next(cx->db, &row)) == OK && answer_page_item(&page, &row.user_id))
		write_member(&page.w, &row.user_id, row.email, row.name, row.role, row.created_at);
	return answer_page_end(&page, cx, reply, e);
}

enum err member_add(struct ctx *cx, const struct member_add_in *in, struct reply *reply)
{
	return invitation_answer_new(cx, in->email, in->role, reply);
}

enum err member_update(struct ctx *cx, const struct member_update_in *in, struct reply *reply)
{
	enum role to = role_parse(in->role);
	struct sql_member_get_row member;
	struct json_writer w;
	enum role from;

	ctx_audit_target(cx, ID_USER, &in->user_id);
	TRY(member_take(cx, &in->user_id, &member));
	from = role_parse(member.role);
	TRY(ctx_if_match(cx, &in->user_id, member_state(member.created_at, from)));
	ctx_audit_detail(cx, "role", in->role);
	ctx_audit_detail(cx, "old_role", str_of(role_text(from)));
	TRY(member_change_role(cx, &in->user_id, from, to));
	jw_start(&w, &reply->body);
	write_member(&w, &in->user_id, member.email, member.name, in->role, member.created_at);
	return ctx_etag(cx, reply, &in->user_id, member_state(member.created_at, to));
}

enum err member_remove(struct ctx *cx, const struct member_remove_in *in, struct reply *reply)
{
	struct sql_member_get_row member;
	enum role role;

	ctx_audit_target(cx, ID_USER, &in->user_id);
	TRY(member_take(cx, &in->user_id, &member));
	role = role_parse(member.role);
	TRY(ctx_if_match(cx, &in->user_id, member_state(member.created_at, role)));
	ctx_audit_detail(cx, "role", str_of(role_text(role)));
	TRY(member_expel(cx, &in->user_id, role));
	return answer_nothing(reply);
}

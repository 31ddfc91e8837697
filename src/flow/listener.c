#include "flow/listener.h"

#include "base/buf.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "store/sql_workflow.h"

enum { TYPES_MAX = 2000 };

static enum err save_one(struct ctx *cx, const struct id *workflow, size_t position, const json_t *trigger)
{
	BUF_AUTO struct buf types = { 0 };
	struct sql_workflow_listener_insert_in in = { .workflow_id = *workflow,
						      .position = (int64_t)position,
						      .provider = json_member_text(trigger, "provider") };
	struct str connector = json_member_text(trigger, "connector_id");
	struct json_writer w;

	in.connector_id.set = id_parse(ID_CONNECTOR, connector, &in.connector_id.v);
	buf_init(&types, TYPES_MAX);
	if (json_is_kind(json_member(trigger, "event_types"), JSON_ARRAY)) {
		jw_start(&w, &types);
		jw_add_tree(&w, json_member(trigger, "event_types"));
		TRY(buf_error(&types));
		in.event_types = buf_str(&types);
	}
	return sql_workflow_listener_insert(cx->db, &in, NULL);
}

enum err listeners_save(struct ctx *cx, const struct id *workflow, const struct flow *flow)
{
	TRY(sql_workflow_listener_clear(cx->db, &(struct sql_workflow_listener_clear_in){ *workflow }, NULL));
	for (size_t i = 0; i < json_length(flow->triggers); i++) {
		const json_t *trigger = json_item(flow->triggers, i);

		if (str_eq(json_member_text(trigger, "type"), STR("event")))
			TRY(save_one(cx, workflow, i, trigger));
	}
	return OK;
}

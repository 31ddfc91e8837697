/* GET /templates, GET /templates/{id} and the copy of one */
#include "core/answer.h"
#include "core/operations.h"
#include "flow/templates.h"
#include "flow/workflow.h"

static void write_template(struct json_writer *w, const struct flow_template *t, bool whole)
{
	jw_object(w);
	answer_id(w, "id", ID_TEMPLATE, &t->id);
	jw_put_text(w, "name", t->name);
	jw_put_text(w, "description", t->description);
	jw_put_text(w, "category", t->category);
	if (whole)
		jw_put_raw(w, "definition", t->definition);
	jw_object_end(w);
}

enum err template_list(struct ctx *cx, const struct template_list_in *in, struct reply *reply)
{
	struct json_writer w;

	(void)in;
	jw_start(&w, &reply->body);
	jw_array(&w);
	for (size_t i = 0; i < templates_count(cx->templates); i++)
		write_template(&w, templates_at(cx->templates, i), false);
	jw_array_end(&w);
	return buf_error(&reply->body);
}

enum err template_get(struct ctx *cx, const struct template_get_in *in, struct reply *reply)
{
	const struct flow_template *t = templates_find(cx->templates, &in->template_id);
	struct json_writer w;

	if (!t)
		return ERR_NOT_FOUND;
	jw_start(&w, &reply->body);
	write_template(&w, t, true);
	return buf_error(&reply->body);
}

/* Paused as long as something in it is still to be chosen. */
enum err template_clone(struct ctx *cx, const struct template_clone_in *in, struct reply *reply)
{
	const struct flow_template *t = templates_find(cx->templates, &in->template_id);
	struct definition definition;
	struct workflow workflow;

	if (!t)
		return ERR_NOT_FOUND;
	TRY(definition_reuse(cx, t->definition, &definition));
	workflow = (struct workflow){ .name = str_absent(in->name) ? t->name : in->name,
				      .description = t->description,
				      .active = str_absent(definition.flow->unchosen) };
	TRY(workflow_add(cx, &workflow, &definition));
	reply->status = 201;
	return workflow_answer(cx, &workflow, definition.text, reply);
}

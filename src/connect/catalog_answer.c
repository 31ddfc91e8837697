#include "connect/catalog_answer.h"

#include "base/json_write.h"
#include "connect/oauth.h"

enum { URI_MAX = 2048 };

static const struct str TEST_WORDS = { "The connection is tried now.", 28 };

static void add_texts(struct json_writer *w, const char *key, const struct texts *texts)
{
	jw_key(w, key);
	jw_array(w);
	for (size_t i = 0; i < texts->n; i++)
		jw_add_text(w, texts->v[i]);
	jw_array_end(w);
}

static void add_ways(struct json_writer *w, const struct connector_type *type)
{
	jw_key(w, "auth");
	jw_array(w);
	for (size_t i = 0; i < type->ways; i++) {
		jw_object(w);
		jw_put_text(w, "id", type->way[i].id);
		jw_put_text(w, "mode", str_of(auth_mode_text(type->way[i].mode)));
		jw_put_text(w, "label", type->way[i].label);
		jw_put_text(w, "help", type->way[i].help);
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void add_entry_members(struct json_writer *w, const struct connector_type *type)
{
	jw_put_text(w, "type", type->id);
	jw_put_text(w, "name", type->name);
	jw_put_text(w, "category", type->category);
	add_texts(w, "regions", &type->regions);
	add_ways(w, type);
	jw_put_text(w, "summary", type->summary);
	jw_put_text(w, "docs_url", type->docs_url);
}

void catalog_answer_entry(const struct connector_type *type, struct buf *out)
{
	struct json_writer w;

	jw_start(&w, out);
	jw_object(&w);
	add_entry_members(&w, type);
	jw_object_end(&w);
}

/* --- one type -------------------------------------------------------------------- */

static struct str field_kind(const struct connector_field *field)
{
	if (field->choices.n > 0)
		return STR("choice");
	if (field->integer)
		return STR("integer");
	return field->multiline || str_eq(field->member, STR("*")) ? STR("multiline") : STR("text");
}

static void add_field(struct json_writer *w, const struct connector_field *field)
{
	jw_object(w);
	jw_put_text(w, "name", field->name);
	jw_put_text(w, "label", field->label);
	jw_put_bool(w, "secret", field->secret);
	jw_put_bool(w, "required", field->required);
	jw_put_text(w, "kind", field_kind(field));
	add_texts(w, "choices", &field->choices);
	add_texts(w, "choice_labels", &field->choice_labels);
	jw_put_text(w, "default", field->default_value);
	jw_put_text(w, "pattern", field->pattern);
	jw_put_text(w, "help", field->help);
	jw_put_text(w, "where_found", field->where_found);
	add_texts(w, "auth", &field->ways);
	jw_object_end(w);
}

static void add_step(struct json_writer *w, const char *kind, struct str text,
		     const struct connector_field *field)
{
	jw_object(w);
	jw_put_text(w, "kind", str_of(kind));
	jw_put_text(w, "text", text);
	if (field) {
		jw_key(w, "field");
		add_field(w, field);
	}
	jw_object_end(w);
}

static struct str first_of(struct str a, struct str b, struct str c)
{
	return !str_absent(a) ? a : !str_absent(b) ? b : c;
}

static void add_steps(struct json_writer *w, const struct connector_type *type,
		      const struct auth_way *way)
{
	jw_key_str(w, way->id);
	jw_array(w);
	add_step(w, "intro", first_of(type->wizard_intro, type->summary, STR_NONE), NULL);
	add_step(w, "auth", first_of(way->help, type->wizard_auth, way->label), NULL);
	for (size_t i = 0; i < type->fields; i++) {
		const struct connector_field *field = &type->field[i];

		if (connector_asks(way, field))
			add_step(w, "field",
				 first_of(field->help, field->where_found, field->label), field);
	}
	add_step(w, "test", TEST_WORDS, NULL);
	add_step(w, "done", type->wizard_done, NULL);
	jw_array_end(w);
}

static const struct texts *scopes_of(const struct connector_type *type)
{
	if (type->has_oauth2)
		return &type->oauth2.scopes;
	return type->has_client_credentials ? &type->client_credentials.scopes
					    : &type->service_account.scopes;
}

void catalog_answer_detail(const struct connector_type *type, struct buf *out)
{
	struct json_writer w;

	jw_start(&w, out);
	jw_object(&w);
	add_entry_members(&w, type);
	jw_key(&w, "fields");
	jw_array(&w);
	for (size_t i = 0; i < type->fields; i++)
		add_field(&w, &type->field[i]);
	jw_array_end(&w);
	add_texts(&w, "scopes", scopes_of(type));
	jw_key(&w, "steps");
	jw_object(&w);
	for (size_t i = 0; i < type->ways; i++)
		add_steps(&w, type, &type->way[i]);
	jw_object_end(&w);
}

enum err catalog_answer_type(const struct config *config, const struct connector_type *type,
			     struct buf *out)
{
	BUF_AUTO struct buf uri = { 0 };

	buf_init(&uri, URI_MAX);
	if (type->has_oauth2)
		TRY(oauth_redirect_uri(config, type->id, &uri));
	buf_add_str(out, type->detail);
	buf_add_c(out, ",\"redirect_uri\":");
	if (type->has_oauth2)
		json_escape(out, buf_str(&uri));
	else
		buf_add_c(out, "null");
	buf_add_char(out, '}');
	return buf_error(out);
}

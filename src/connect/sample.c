#include "connect/sample.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "connect/connection_values.h"

struct sample {
	struct json_writer w;
	struct texts secrets;
	bool truncated;
};

static struct str cut_text(struct sample *s, struct str text)
{
	size_t at = 0, step;

	if (connection_holds_secret(text, s->secrets))
		return STR("****");
	for (int n = 0; n < SAMPLE_TEXT && (step = str_utf8_step(text, at)) > 0; n++)
		at += step;
	s->truncated |= at < text.n;
	return str_slice(text, 0, at);
}

static void write_value(struct sample *s, const json_t *value, int depth);

static void write_object(struct sample *s, const json_t *object, int depth)
{
	int n = 0;

	jw_object(&s->w);
	for (void *i = json_first(object); i; i = json_next(object, i)) {
		if (n++ == SAMPLE_ITEMS) {
			s->truncated = true;
			break;
		}
		jw_key_str(&s->w, cut_text(s, json_iter_key(i)));
		write_value(s, json_iter_value(i), depth);
	}
	jw_object_end(&s->w);
}

static void write_array(struct sample *s, const json_t *array, int depth)
{
	const size_t n = json_length(array);

	jw_array(&s->w);
	for (size_t i = 0; i < n && i < SAMPLE_ITEMS; i++)
		write_value(s, json_item(array, i), depth);
	s->truncated |= n > SAMPLE_ITEMS;
	jw_array_end(&s->w);
}

static void write_value(struct sample *s, const json_t *value, int depth)
{
	const bool object = json_is_kind(value, JSON_OBJECT),
		   array = json_is_kind(value, JSON_ARRAY);

	if ((object || array) && depth == SAMPLE_DEPTH) {
		s->truncated = true;
		jw_add_null(&s->w);
	} else if (object) {
		write_object(s, value, depth + 1);
	} else if (array) {
		write_array(s, value, depth + 1);
	} else if (json_is_kind(value, JSON_STRING)) {
		jw_add_text(&s->w, cut_text(s, json_text(value)));
	} else {
		jw_add_tree(&s->w, value);
	}
}

/* One row, if there is still room for it. */
static enum err add_row(struct sample *s, const json_t *row, struct json_writer *rows)
{
	BUF_AUTO struct buf text = { 0 };
	enum err e;

	if (rows->out->n >= SAMPLE_BYTES) {
		s->truncated = true;
		return ERR_END;
	}
	buf_init(&text, SAMPLE_BYTES - rows->out->n);
	jw_start(&s->w, &text);
	write_value(s, row, 0);
	e = buf_error(&text);
	s->truncated |= e == ERR_TOO_BIG;
	if (e != OK)
		return e == ERR_TOO_BIG ? ERR_END : e;
	jw_add_raw(rows, buf_str(&text));
	return OK;
}

enum err sample_write(const json_t *rows, struct texts secrets, struct buf *out,
		      bool *ret_truncated)
{
	struct sample s = { .secrets = secrets };
	const bool list = json_is_kind(rows, JSON_ARRAY);
	const size_t n = list ? json_length(rows) : 1;
	BUF_AUTO struct buf text = { 0 };
	struct json_writer w;
	enum err e = OK;

	buf_init(&text, SAMPLE_BYTES + 64);
	jw_start(&w, &text);
	jw_array(&w);
	for (size_t i = 0; i < n && i < SAMPLE_ROWS && e == OK; i++)
		e = add_row(&s, list ? json_item(rows, i) : rows, &w);
	jw_array_end(&w);
	if (e != OK && e != ERR_END)
		return e;
	TRY(buf_error(&text));
	buf_add_str(out, buf_str(&text));
	*ret_truncated = s.truncated || n > SAMPLE_ROWS;
	return buf_error(out);
}

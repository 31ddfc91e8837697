#include "ai/sse.h"

#include <string.h>

static const struct str BOM = { "\xef\xbb\xbf", 3 };

void sse_init(struct sse *sse, size_t max, sse_listener listen, void *arg)
{
	*sse = (struct sse){ .listen = listen, .arg = arg };
	buf_init(&sse->line, max);
	buf_init(&sse->data, max);
}

void sse_done(struct sse *sse)
{
	buf_done(&sse->line);
	buf_done(&sse->data);
}

static enum err hand_over(struct sse *sse)
{
	enum err e = OK;

	if (sse->has_data)
		e = sse->listen(sse->arg, buf_str(&sse->data));
	sse->has_data = false;
	buf_clear(&sse->data);
	return e;
}

static enum err add_data(struct sse *sse, struct str text)
{
	if (sse->has_data)
		buf_add_char(&sse->data, '\n');
	sse->has_data = true;
	buf_add_str(&sse->data, text);
	return buf_error(&sse->data);
}

/*
 * Only `data` matters: providers say in it, too, what kind of event it is. Gemini breaks a stream off with an error as
 * plain JSON, which would be a field of a strange name, and a server that doesn't know streams answers nothing else.
 */
static enum err take_line(struct sse *sse, struct str line)
{
	struct str value = line, name;

	if (sse->bare)
		return add_data(sse, line);
	if (line.n == 0)
		return hand_over(sse);
	if (line.p[0] == '{' || line.p[0] == '[') {
		TRY(hand_over(sse));
		sse->bare = true;
		return add_data(sse, line);
	}
	name = str_cut(&value, ':');
	if (!str_eq(name, STR("data")))
		return OK;
	if (str_starts(value, STR(" ")))
		value = str_slice(value, 1, SIZE_MAX);
	return add_data(sse, str_absent(value) ? STR("") : value);
}

static enum err end_line(struct sse *sse)
{
	struct str line = buf_str(&sse->line);
	enum err e;

	if (!sse->begun && str_starts(line, BOM))
		line = str_slice(line, BOM.n, SIZE_MAX);
	sse->begun = true;
	e = take_line(sse, line);
	buf_clear(&sse->line);
	return e;
}

enum err sse_feed(struct sse *sse, struct str bytes)
{
	size_t from = 0;

	if (bytes.n > 0 && sse->after_cr && bytes.p[0] == '\n')
		from = 1;
	if (bytes.n > 0)
		sse->after_cr = false;
	for (size_t i = from; i < bytes.n; i++) {
		if (bytes.p[i] != '\n' && bytes.p[i] != '\r')
			continue;
		buf_add(&sse->line, bytes.p + from, i - from);
		TRY(buf_error(&sse->line));
		TRY(end_line(sse));
		if (bytes.p[i] == '\r' && i + 1 < bytes.n && bytes.p[i + 1] == '\n')
			i++;
		else if (bytes.p[i] == '\r' && i + 1 == bytes.n)
			sse->after_cr = true;
		from = i + 1;
	}
	buf_add(&sse->line, bytes.p + from, bytes.n - from);
	return buf_error(&sse->line);
}

enum err sse_end(struct sse *sse)
{
	if (sse->line.n > 0)
		TRY(end_line(sse));
	return hand_over(sse);
}

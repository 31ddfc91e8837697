/* From a method and a raw path to the operation. */
#include "api/route.h"

#include <string.h>

static const char *const METHODS[METHOD_COUNT] = {
	[METHOD_GET] = "GET",     [METHOD_POST] = "POST",     [METHOD_PUT] = "PUT",
	[METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE",
};

/* Among the methods of a path. */
enum { HEAD_TOO = 1u << METHOD_COUNT };

/* METHOD_COUNT for a method that no operation has. */
static enum method method_of(struct str text)
{
	if (str_eq(text, STR("HEAD")))
		return METHOD_GET;
	for (size_t i = 0; i < METHOD_COUNT; i++)
		if (str_eq(text, str_of(METHODS[i])))
			return (enum method)i;
	return METHOD_COUNT;
}

static bool bytes_are_plain(struct str path)
{
	for (size_t i = 0; i < path.n; i++) {
		char c = path.p[i];
		if (c < 0x21 || c > 0x7e || c == '%' || c == ';' || c == '\\' || c == '?' ||
		    c == '#')
			return false;
	}
	return true;
}

/* Only an empty segment at the end passes: a trailing slash is another path, not a trick. */
static bool segments_are_plain(struct str path)
{
	struct str rest = str_slice(path, 1, path.n);

	while (!str_absent(rest)) {
		struct str segment = str_cut(&rest, '/');
		if ((segment.n == 0 && !str_absent(rest)) || str_eq(segment, STR(".")) ||
		    str_eq(segment, STR("..")))
			return false;
	}
	return true;
}

/*
 * The node where the rest of a path ends, or NULL. A static segment goes before a parameter; when what follows
 * it doesn't fit, the parameter is tried. The generator has refused templates that would then be ambiguous, and
 * the depth is that of the tree, not of the path.
 */
static const struct route_node *walk(const struct route_node *node, struct str rest, size_t params,
				     struct route_match *match)
{
	if (str_absent(rest))
		return node->routes ? node : NULL;
	struct str segment = str_cut(&rest, '/');
	for (size_t i = 0; i < node->edge_count; i++) {
		if (!str_eq(node->edges[i].segment, segment))
			continue;
		const struct route_node *end = walk(node->edges[i].node, rest, params, match);
		if (end)
			return end;
		break;
	}
	if (!node->param || segment.n == 0 || params == ROUTE_PARAMS_MAX)
		return NULL;
	match->param[params] = segment;
	return walk(node->param, rest, params + 1, match);
}

/* A GET of the vault calls a provider or uses up what it is given: not for the sake of its headers. */
static bool answers_head(const struct route_node *node)
{
	return node->routes[METHOD_GET] && node->routes[METHOD_GET]->pool == ROUTE_FRONT;
}

enum err route_find(struct str method, struct str path, struct route_match *ret_match)
{
	memset(ret_match, 0, sizeof(*ret_match));
	if (path.n == 0 || path.p[0] != '/' || !bytes_are_plain(path) || !segments_are_plain(path))
		return ERR_BAD_PATH;
	const struct route_node *node = walk(&ROUTE_ROOT, str_slice(path, 1, path.n), 0, ret_match);
	if (!node)
		return ERR_NOT_FOUND;
	for (unsigned i = 0; i < METHOD_COUNT; i++)
		if (node->routes[i])
			ret_match->methods |= 1u << i;
	if (answers_head(node))
		ret_match->methods |= HEAD_TOO;
	enum method wanted = method_of(method);
	if (wanted == METHOD_COUNT || !node->routes[wanted] || (str_eq(method, STR("HEAD")) && !answers_head(node)))
		return ERR_METHOD_NOT_ALLOWED;
	ret_match->route = node->routes[wanted];
	return OK;
}

struct str route_allow(unsigned methods, char text[ROUTE_ALLOW_MAX])
{
	char *end = text;

	for (unsigned i = 0; i < METHOD_COUNT; i++) {
		if (!(methods & 1u << i))
			continue;
		end = stpcpy(stpcpy(end, METHODS[i]), ", ");
		if (i == METHOD_GET && (methods & HEAD_TOO))
			end = stpcpy(end, "HEAD, ");
	}
	end = stpcpy(end, "OPTIONS");
	return (struct str){ text, (size_t)(end - text) };
}

#include "flow/zone.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	FILE_MAX = 64 << 10,
	PATH_MAX_BYTES = 128,
	HEADER_BYTES = 44,
	TYPES_MAX = 256,
	/* No zone changes its clocks twice within so many seconds, or by more than these. */
	AROUND_S = 26 * 3600
};

struct zone {
	size_t n;
	const int64_t *at;     /* transitions, ascending */
	const int32_t *offset; /* from each of them on */
	int32_t first;         /* before the first */
	struct zone_rule rule; /* from the last one on, when it is known */
};

static const struct zone UTC;

/* --- a file ---------------------------------------------------------------------------------------------- */

struct counts {
	size_t isut, isstd, leap, time, type, chars;
};

static int64_t read_int(const char *p, size_t bytes)
{
	uint64_t number = (p[0] & 0x80) ? UINT64_MAX : 0;

	for (size_t i = 0; i < bytes; i++)
		number = number << 8 | (unsigned char)p[i];
	return (int64_t)number;
}

static bool read_header(struct str *rest, char *ret_version, struct counts *ret_counts)
{
	size_t *const counts[] = { &ret_counts->isut, &ret_counts->isstd, &ret_counts->leap,
				   &ret_counts->time, &ret_counts->type,  &ret_counts->chars };

	if (rest->n < HEADER_BYTES || memcmp(rest->p, "TZif", 4) != 0)
		return false;
	*ret_version = rest->p[4];
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		int64_t count = read_int(rest->p + 20 + 4 * i, 4);

		if (count < 0 || count > FILE_MAX)
			return false;
		*counts[i] = (size_t)count;
	}
	*rest = str_slice(*rest, HEADER_BYTES, rest->n);
	return true;
}

static size_t block_bytes(const struct counts *counts, size_t width)
{
	return counts->time * (width + 1) + counts->type * 6 + counts->chars + counts->leap * (width + 4) +
	       counts->isstd + counts->isut;
}

/* The block that `rest` begins with; its transitions and offsets. */
static enum err read_block(struct arena *arena, struct str rest, const struct counts *counts, struct zone *zone)
{
	const char *times = rest.p, *indices = times + counts->time * 8, *types = indices + counts->time;
	int64_t *at = arena_array(arena, counts->time + 1, sizeof *at);
	int32_t *offset = arena_array(arena, counts->time + 1, sizeof *offset);

	if (!at || !offset)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < counts->time; i++) {
		size_t type = (unsigned char)indices[i];

		at[i] = read_int(times + i * 8, 8);
		if (type >= counts->type || (i > 0 && at[i] <= at[i - 1]))
			return ERR_NOT_FOUND;
		offset[i] = (int32_t)read_int(types + type * 6, 4);
	}
	zone->n = counts->time;
	zone->at = at;
	zone->offset = offset;
	zone->first = (int32_t)read_int(types, 4);
	return OK;
}

/* "\n<rule>\n" */
static bool read_footer(struct str rest, struct zone_rule *ret_rule)
{
	if (rest.n < 2 || rest.p[0] != '\n')
		return false;
	rest = str_slice(rest, 1, rest.n);
	return zone_rule_read(str_slice(rest, 0, str_find(rest, '\n')), ret_rule);
}

enum err zone_read(struct arena *arena, struct str content, const struct zone **ret_zone)
{
	struct zone *zone = ARENA_NEW(arena, struct zone);
	struct str rest = content;
	struct counts counts;
	char version;

	*ret_zone = NULL;
	if (!zone)
		return ERR_NO_MEMORY;
	/* A block of times of four bytes, for readers of the 1980s, is passed over. */
	if (!read_header(&rest, &version, &counts) || version < '2' || block_bytes(&counts, 4) > rest.n)
		return ERR_NOT_FOUND;
	rest = str_slice(rest, block_bytes(&counts, 4), rest.n);
	if (!read_header(&rest, &version, &counts) || counts.type == 0 || counts.type > TYPES_MAX ||
	    block_bytes(&counts, 8) > rest.n)
		return ERR_NOT_FOUND;
	TRY(read_block(arena, rest, &counts, zone));
	if (!read_footer(str_slice(rest, block_bytes(&counts, 8), rest.n), &zone->rule))
		return ERR_NOT_FOUND;
	*ret_zone = zone;
	return OK;
}

/* A name has no dots, so it can't lead out of the directory. */
static bool is_name(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!char_is_letter(c) && !char_is_digit(c) && c != '_' && c != '+' && c != '-' &&
		    (c != '/' || i == 0))
			return false;
	}
	return name.n > 0 && name.n < 64;
}

static size_t read_file(const char *path, char *content)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t n = 0;
	ssize_t got = 1;

	while (fd >= 0 && n < FILE_MAX && (got = read(fd, content + n, FILE_MAX - n)) > 0)
		n += (size_t)got;
	if (fd >= 0)
		close(fd);
	return got < 0 || n == FILE_MAX ? 0 : n;
}

enum err zone_load(struct arena *arena, struct str name, const struct zone **ret_zone)
{
	char path[PATH_MAX_BYTES];
	char *content;

	*ret_zone = &UTC;
	if (str_eq(name, STR("UTC")))
		return OK;
	*ret_zone = NULL;
	if (!is_name(name))
		return ERR_NOT_FOUND;
	content = arena_array(arena, FILE_MAX, 1);
	if (!content)
		return ERR_NO_MEMORY;
	snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", STR_ARG(name));
	return zone_read(arena, (struct str){ content, read_file(path, content) }, ret_zone);
}

/* --- using it ----------------------------------------------------------------------------------------------- */

int64_t zone_offset(const struct zone *zone, int64_t at)
{
	size_t low = 0, high = zone->n;

	/* How many transitions are over. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (zone->at[middle] <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == zone->n && zone->rule.known)
		return zone_rule_offset(&zone->rule, at);
	return low == 0 ? zone->first : zone->offset[low - 1];
}

/* The first time behind `from` at which clocks show what they show at `to`; those of `from` differ. */
static int64_t find_change(const struct zone *zone, int64_t from, int64_t to)
{
	int64_t before = zone_offset(zone, from);

	while (to - from > 1) {
		int64_t middle = from + (to - from) / 2;

		if (zone_offset(zone, middle) == before)
			from = middle;
		else
			to = middle;
	}
	return to;
}

int64_t zone_time_of(const struct zone *zone, int64_t local)
{
	int64_t before = zone_offset(zone, local - AROUND_S), after = zone_offset(zone, local + AROUND_S);

	/* The larger of two offsets gives the earlier time. */
	int64_t first = local - (before > after ? before : after), second = local - (before > after ? after : before);
	if (before == after || zone_offset(zone, first) == local - first)
		return first;
	if (zone_offset(zone, second) == local - second)
		return second;
	return find_change(zone, local - AROUND_S, local + AROUND_S);
}

#include "core/config_sections.h"

#include <stdlib.h>
#include <string.h>

struct key {
	const char *key;
	size_t offset, longest;
};

static const struct key ISSUER_KEYS[] = {
#define ISSUER_TEXT(key, longest, words) { #key, offsetof(struct config_issuer, key), longest },
#include "core/config_issuer.def"
#undef ISSUER_TEXT
};

static const struct key CLIENT_KEYS[] = {
#define CLIENT_TEXT(key, longest, words) { #key, offsetof(struct config_client, key), longest },
#include "core/config_client.def"
#undef CLIENT_TEXT
};

static const char *issuer_lacks(const void *section)
{
	const struct config_issuer *issuer = section;
	int sources = !!issuer->jwks_url + !!issuer->jwks_file + !!issuer->pem_file;

	if (!issuer->issuer || !issuer->audience)
		return "needs issuer and audience";
	if (sources != 1)
		return "needs one of jwks_url, jwks_file and pem_file";
	if (issuer->jwks_url && !str_starts(str_of(issuer->jwks_url), STR("https://")))
		return "jwks_url must begin with https://";
	return NULL;
}

static const char *client_lacks(const void *section)
{
	const struct config_client *client = section;

	return client->client_id && client->client_id[0] ? NULL : "needs client_id";
}

/* A kind of section. Its structs begin with their name; all that is behind are texts, NULL until they are set. */
static const struct kind {
	const char *name, *too_many;
	size_t count_at, first_at, size, most;
	const struct key *key;
	size_t keys;
	const char *(*lacks)(const void *section);
} KINDS[] = {
	{ "issuer", "too many issuers", offsetof(struct config, issuer_count),
	  offsetof(struct config, issuer), sizeof(struct config_issuer), CONFIG_ISSUERS_MAX,
	  ISSUER_KEYS, ARRAY_SIZE(ISSUER_KEYS), issuer_lacks },
	{ "client", "too many clients", offsetof(struct config, client_count),
	  offsetof(struct config, client), sizeof(struct config_client), CONFIG_CLIENTS_MAX,
	  CLIENT_KEYS, ARRAY_SIZE(CLIENT_KEYS), client_lacks },
};

static size_t count_of(const struct config *config, const struct kind *kind)
{
	return *(const size_t *)((const char *)config + kind->count_at);
}

static const void *section_of(const struct config *config, const struct kind *kind, size_t index)
{
	return (const char *)config + kind->first_at + index * kind->size;
}

/* The text at that offset of a section, where 0 is its name; and the place of it. */
static const char *text_of(const struct config *config, const struct kind *kind, size_t index,
			   size_t offset)
{
	return *(char *const *)((const char *)section_of(config, kind, index) + offset);
}

static char **place_of(struct config *config, const struct kind *kind, size_t index, size_t offset)
{
	return (char **)((char *)config + kind->first_at + index * kind->size + offset);
}

static const struct kind *kind_of(const char *section, const char **ret_name)
{
	for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++) {
		size_t n = strlen(KINDS[i].name);

		if (strncmp(section, KINDS[i].name, n) != 0 || section[n] != ' ' ||
		    section[n + 1] == '\0')
			continue;
		*ret_name = section + n + 1;
		return &KINDS[i];
	}
	return NULL;
}

bool config_section_named(const char *section)
{
	const char *name;

	return kind_of(section, &name) != NULL;
}

static const char *set_text(char **place, const char *value)
{
	*place = strdup(value);
	return *place ? NULL : "out of memory";
}

/* The section of that name, a new one if need be. */
static const char *find_section(struct config *config, const struct kind *kind, const char *name,
				size_t *ret_index)
{
	size_t *count = (size_t *)((char *)config + kind->count_at);
	const char *wrong;

	for (*ret_index = 0; *ret_index < *count; (*ret_index)++)
		if (strcmp(text_of(config, kind, *ret_index, 0), name) == 0)
			return NULL;
	if (*count == kind->most)
		return kind->too_many;
	wrong = set_text(place_of(config, kind, *ret_index, 0), name);
	if (!wrong)
		(*count)++;
	return wrong;
}

const char *config_section_set(struct config *config, const char *section, const char *key,
			       const char *value)
{
	const char *name, *wrong;
	const struct kind *kind = kind_of(section, &name);
	size_t index;
	char **place;

	if (!kind)
		return "there is no such section";
	wrong = find_section(config, kind, name, &index);
	if (wrong)
		return wrong;
	for (size_t i = 0; i < kind->keys; i++) {
		if (strcmp(kind->key[i].key, key) != 0)
			continue;
		place = place_of(config, kind, index, kind->key[i].offset);
		if (*place)
			return "is given twice";
		return strlen(value) > kind->key[i].longest ? "is too long"
							    : set_text(place, value);
	}
	return "there is no such key";
}

const char *config_sections_incomplete(const struct config *config, const char **ret_kind,
				       const char **ret_name)
{
	for (size_t k = 0; k < ARRAY_SIZE(KINDS); k++)
		for (size_t i = 0; i < count_of(config, &KINDS[k]); i++) {
			const char *lacks = KINDS[k].lacks(section_of(config, &KINDS[k], i));

			*ret_kind = KINDS[k].name;
			*ret_name = text_of(config, &KINDS[k], i, 0);
			if (lacks)
				return lacks;
		}
	return NULL;
}

void config_sections_free(struct config *config)
{
	for (size_t k = 0; k < ARRAY_SIZE(KINDS); k++)
		for (size_t i = 0; i < count_of(config, &KINDS[k]); i++) {
			free(*place_of(config, &KINDS[k], i, 0));
			for (size_t key = 0; key < KINDS[k].keys; key++)
				free(*place_of(config, &KINDS[k], i, KINDS[k].key[key].offset));
		}
}

static void print_section(const struct config *config, const struct kind *kind, size_t index,
			  FILE *out)
{
	fprintf(out, "\n[%s %s]\n", kind->name, text_of(config, kind, index, 0));
	for (size_t i = 0; i < kind->keys; i++) {
		const char *value = text_of(config, kind, index, kind->key[i].offset);

		if (value)
			fprintf(out, "%s = %s\n", kind->key[i].key, value);
	}
}

void config_sections_print(const struct config *config, FILE *out)
{
	for (size_t k = 0; k < ARRAY_SIZE(KINDS); k++)
		for (size_t i = 0; i < count_of(config, &KINDS[k]); i++)
			print_section(config, &KINDS[k], i, out);
}

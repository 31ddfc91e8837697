/* latchctl doctor: the operator's OAuth clients, and the redirect URIs to register. */
#include "connect/oauth.h"
#include "main/doctor.h"

enum { URI_MAX = 1024, SECRET_FILE_MAX = 4096 };

static const struct config_client *client_of(const struct config *config, struct str type)
{
	for (size_t i = 0; i < config->client_count; i++)
		if (str_eq(str_of(config->client[i].name), type))
			return &config->client[i];
	return NULL;
}

static void look_at_client(struct doctor *d, const struct config_client *client)
{
	const struct connector_type *type = catalog_find(d->catalog, str_of(client->name));
	SECRET_AUTO struct secret secret = SECRET_EMPTY;
	const char *file = client->client_secret_file;

	if (!type || !type->has_oauth2)
		doctor_fault(d, "client", "See latchctl connector list.",
			     "[client %s]: there is no such connector type with OAuth.",
			     client->name);
	if (file && file[0] != '\0' && secret_read_file(file, SECRET_FILE_MAX, &secret) != OK)
		doctor_fault(d, "client", "Let the vault pool's user read it, and nobody else.",
			     "[client %s]: %s can't be read.", client->name, file);
}

void doctor_look_at_clients(struct doctor *d)
{
	const struct config *config = d->ctl->config;
	const bool all = ctl_option(d->ctl, "all") != NULL;
	size_t said = 0;

	if (!d->catalog)
		return;
	for (size_t i = 0; i < config->client_count; i++)
		look_at_client(d, &config->client[i]);
	for (size_t i = 0; i < catalog_count(d->catalog); i++) {
		const struct connector_type *type = catalog_at(d->catalog, i);
		BUF_AUTO struct buf uri = { 0 };

		buf_init(&uri, URI_MAX);
		if (!type->has_oauth2 || (!all && !client_of(config, type->id)) ||
		    oauth_redirect_uri(config, type->id, &uri) != OK)
			continue;
		doctor_say(d, "redirect", "Register at %.*s: %.*s", STR_ARG(type->name),
			   STR_ARG(buf_str(&uri)));
		said++;
	}
	if (said == 0)
		doctor_say(
			d, "redirect",
			"No OAuth client is configured; --all prints every provider's redirect URI.");
}

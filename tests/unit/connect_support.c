#include "connect_support.h"

#include <stdio.h>
#include <string.h>

const char SAMPLE[] =
	"{'id': 'sample', 'name': 'Sample', 'category': 'custom', 'regions': ['eu', 'us'],\n"
	" 'docs_url': 'https://docs.example.com/auth', 'summary': 'A sample.',\n"
	" 'auth': [\n"
	"  {'mode': 'oauth2_authorization_code', 'label': 'Sign in', 'help': 'A page opens.', 'credential': 'oauth2',\n"
	"   'headers': {'Authorization': 'Bearer {access_token}'}},\n"
	"  {'mode': 'api_key', 'id': 'key', 'label': 'Key', 'credential': 'api_key',\n"
	"   'headers': {'{header}': '{api_key}', 'X-Account': '{account?}'}},\n"
	"  {'mode': 'basic', 'label': 'User', 'credential': 'basic_auth', 'basic': ['{username}', '{password}']}],\n"
	" 'fields': [\n"
	"  {'name': 'shop', 'label': 'Shop', 'required': true, 'pattern': '^[a-z0-9-]+\\\\.shop\\\\.example$',\n"
	"   'member': 'extra.shop', 'help': 'The address.', 'where_found': 'On the bill.'},\n"
	"  {'name': 'client_id', 'label': 'Client', 'member': 'client_id', 'auth': ['oauth2_authorization_code']},\n"
	"  {'name': 'client_secret', 'label': 'Secret', 'secret': true, 'member': 'client_secret',\n"
	"   'auth': ['oauth2_authorization_code']},\n"
	"  {'name': 'token', 'label': 'Key', 'secret': true, 'required': true, 'member': 'api_key', 'auth': ['key']},\n"
	"  {'name': 'header', 'label': 'Header', 'default': 'X-Key', 'member': 'header', 'auth': ['key']},\n"
	"  {'name': 'account', 'label': 'Account', 'member': 'extra.account', 'auth': ['key']},\n"
	"  {'name': 'plan', 'label': 'Plan', 'choices': ['free', 'paid'], 'default': 'free', 'member': 'extra.plan',\n"
	"   'auth': ['key']},\n"
	"  {'name': 'seats', 'label': 'Seats', 'integer': true, 'member': 'extra.seats', 'auth': ['key']},\n"
	"  {'name': 'user', 'label': 'User', 'required': true, 'member': 'username', 'auth': ['basic']},\n"
	"  {'name': 'password', 'label': 'Password', 'secret': true, 'required': true, 'member': 'password',\n"
	"   'auth': ['basic']}],\n"
	" 'placeholders': {'version': {'default': 'v2', 'pattern': '^v[0-9]+$'}},\n"
	" 'hosts': ['{shop}', 'api.example.com', '.tenants.example.com'],\n"
	" 'api': {'base_url': 'https://{shop}/api/{version}'},\n"
	" 'oauth2': {'authorization_url': 'https://{shop}/authorize', 'token_url': 'https://api.example.com/token',\n"
	"  'scopes': ['read', 'write'], 'scope_separator': ',', 'pkce': true, 'client_auth': 'basic',\n"
	"  'token_format': 'json', 'callback_params': ['realm'],\n"
	"  'token': {'access_token': ['user.token', 'access_token'], 'expiry': 'at', 'expiry_path': 'expires_at',\n"
	"   'keep': ['team.id'], 'refresh_issued': true, 'rotates': true, 'grace_s': 60,\n"
	"   'terminal_errors': ['account_closed']},\n"
	"  'revoke': {'method': 'POST', 'url': 'https://api.example.com/revoke', 'form': {'token': '{refresh_token}'},\n"
	"   'basic': ['{client_id}', '{client_secret}']}},\n"
	" 'verify': [\n"
	"  {'request': {'url': 'https://{shop}/api/{version}/me', 'query': {'team': '{team_id?}'}},\n"
	"   'must_have': 'data.id', 'account_id': ['json:data.id', 'header:X-Account', 'value:shop'],\n"
	"   'account_label': ['json:data.name']},\n"
	"  {'kind': 'none', 'auth': ['basic']}],\n"
	" 'preview': {'request': {'method': 'POST', 'url': 'https://{shop}/q', 'json': '{\\'first\\': 5, \\'of\\': \\'{realm}\\'}'},\n"
	"  'rows': 'data.rows'},\n"
	" 'webhook': {'scheme': 'hmac'},\n"
	" 'wizard': {'intro': 'This is it.', 'auth': 'Take the key.', 'done': 'Done.'},\n"
	" 'confidence': {'oauth2.token_url': '2+', 'verify[0]': 'memory'}}\n";

enum { TEXT_MAX = 16384 };

/* \' stays a quote inside of a JSON text. */
static void swap_quotes(const char *from, char *to)
{
	for (; *from; from++) {
		if (from[0] == '\\' && from[1] == '\'') {
			*to++ = '\\';
			*to++ = '"';
			from++;
		} else {
			*to++ = *from == '\'' ? '"' : *from;
		}
	}
	*to = '\0';
}

const char *sample_text(const char *text, const char *find, const char *replace)
{
	static char changed[2 * TEXT_MAX], quoted[2 * TEXT_MAX];
	const char *at = find ? strstr(text, find) : NULL;

	assert_true(strlen(text) < TEXT_MAX);
	assert_true(!find || at);
	if (at)
		snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, replace, at + strlen(find));
	else
		snprintf(changed, sizeof changed, "%s", text);
	swap_quotes(changed, quoted);
	return quoted;
}

struct catalog *sample_catalog(const char *text, const char *find, const char *replace)
{
	char why[CATALOG_WHY_MAX];
	struct catalog *catalog = NULL;

	if (catalog_load_text(STR("sample.json"), str_of(sample_text(text, find, replace)), why, &catalog) != OK)
		fail_msg("%s", why);
	return catalog;
}

const char *sample_fault(const char *text, const char *find, const char *replace)
{
	static char why[CATALOG_WHY_MAX];
	struct catalog *catalog = NULL;
	enum err e = catalog_load_text(STR("sample.json"), str_of(sample_text(text, find, replace)), why, &catalog);

	assert_true(e == OK || (e == ERR_CONFIG && !catalog));
	assert_true((e == OK) == (why[0] == '\0'));
	catalog_free(catalog);
	return why;
}

const struct connector_type *only_type(const struct catalog *catalog)
{
	assert_int_equal(catalog_count(catalog), 1);
	return catalog_at(catalog, 0);
}

void set_value(struct values *values, const char *name, const char *value)
{
	assert_int_equal(values_set(values, str_of(name), str_of(value)), OK);
}

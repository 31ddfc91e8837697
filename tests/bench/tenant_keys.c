/*
 * Tenants with wrapped keys, for the rotation of a root key: SQL on standard output.
 *
 *	tenant_keys KEY_DIRECTORY COUNT
 *
 * The keys are made and wrapped by the product's own code, so that its rotation opens them; ten
 * thousand registrations would take minutes of password hashing instead.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "crypt/envelope.h"
#include "crypt/keyring.h"

static void put_hex(struct str bytes)
{
	fputs("0x", stdout);
	for (size_t i = 0; i < bytes.n; i++)
		printf("%02x", (unsigned char)bytes.p[i]);
}

static enum err put_tenant(const struct root_key *root)
{
	SECRET_AUTO struct secret key = SECRET_EMPTY;
	BUF_AUTO struct buf wrapped;
	struct id tenant;
	long long now = (long long)clock_now_ms();

	buf_init(&wrapped, ENVELOPE_WRAPPED_BYTES);
	TRY(id_new(&tenant));
	TRY(envelope_new_key(&key));
	TRY(envelope_wrap(root, &tenant, 1, &key, &wrapped));
	fputs("INSERT INTO tenant (tenant_id, name, key_generation, created_at) VALUES (", stdout);
	put_hex(ID_BYTES(&tenant));
	printf(", 'bench', 1, %lld);\n", now);
	fputs("INSERT INTO tenant_key (tenant_id, generation, root_key_id, wrapped, created_at) VALUES (", stdout);
	put_hex(ID_BYTES(&tenant));
	printf(", 1, '%s', ", root->id);
	put_hex(buf_str(&wrapped));
	printf(", %lld);\n", now);
	return OK;
}

int main(int argc, char **argv)
{
	char why[KEYRING_WHY_MAX] = "";
	struct keyring *keyring = NULL;
	enum err e;

	if (argc != 3) {
		fprintf(stderr, "usage: tenant_keys KEY_DIRECTORY COUNT\n");
		return 2;
	}
	e = keyring_open(argv[1], NULL, why, &keyring);
	puts("START TRANSACTION;");
	for (long i = strtol(argv[2], NULL, 10); e == OK && i > 0; i--)
		e = put_tenant(keyring_current(keyring));
	puts("COMMIT;");
	keyring_free(keyring);
	if (e != OK)
		fprintf(stderr, "tenant_keys: %s %s\n", err_code(e), why);
	return e == OK && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

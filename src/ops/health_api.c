/* GET /healthz and GET /readyz. */
#include <sys/statvfs.h>

#include "base/json_write.h"
#include "core/ctx.h"
#include "core/operations.h"
#include "crypt/keyring.h"
#include "fcgi/reply.h"
#include "ops/durable.h"
#include "store/db.h"
#include "store/migrate.h"
#include "vault/root_key.h"

enum err health_get(struct ctx *cx, const struct health_get_in *in, struct reply *reply)
{
	struct json_writer w;

	(void)cx;
	(void)in;
	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_text(&w, "status", STR("ok"));
	jw_object_end(&w);
	return OK;
}

static bool disk_has_room(const struct config *config)
{
	struct statvfs disk;

	if (statvfs(config->server_state_dir, &disk) != 0)
		return false;
	return (uint64_t)disk.f_bavail * disk.f_frsize >= (uint64_t)config->server_min_free_mib << 20;
}

static bool schema_is_current(struct db *db)
{
	int64_t version;

	return migrate_status(db, &version) == OK && version == migrate_expected_version();
}

/* Every root key that the database knows of is here, and is the right one. */
static bool keys_fit(struct ctx *cx)
{
	char why[KEYRING_WHY_MAX];

	return vault_check_keys(cx->db, cx->front_keys, FRONT_PURPOSE, why) == OK;
}

static void put_check(struct json_writer *w, const char *name, bool ok)
{
	jw_put_text(w, name, ok ? STR("ok") : STR("failed"));
}

enum err ready_get(struct ctx *cx, const struct ready_get_in *in, struct reply *reply)
{
	bool database = db_ping(cx->db) == OK;
	bool schema = database && schema_is_current(cx->db);
	bool keys = database && keys_fit(cx);
	bool disk = disk_has_room(cx->config);
	bool durability = database && durable_database(cx->db);
	bool ready = database && durability && schema && keys && disk;
	struct json_writer w;

	(void)in;
	reply->status = ready ? 200 : 503;
	if (!ready)
		TRY(reply_header(reply, "Retry-After", STR("2")));
	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_text(&w, "status", ready ? STR("ready") : STR("not_ready"));
	jw_key(&w, "checks");
	jw_object(&w);
	put_check(&w, "database", database);
	put_check(&w, "durability", durability);
	put_check(&w, "schema", schema);
	put_check(&w, "keys", keys);
	put_check(&w, "disk", disk);
	jw_object_end(&w);
	jw_object_end(&w);
	return OK;
}

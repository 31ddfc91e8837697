/*
 * What a connector connects with: a credential that is made of what a person filled in, or one that is there.
 * Everything here is part of the caller's transaction.
 */
#ifndef LW_CONNECT_CONNECTION_H
#define LW_CONNECT_CONNECTION_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "connect/connector.h"
#include "connect/type.h"
#include "core/ctx.h"

/*
 * Makes the credential of a config and puts credential, way and status into `connector`, whose display_name is the
 * credential's, too. An absent `auth` is the first way that asks for a config. ERR_BAD_INPUT with places below
 * `config`, or for a way that needs a consent page.
 */
enum err connection_by_config(struct ctx *cx, const struct connector_type *type, struct str auth,
			      const json_t *config, struct connector *connector) MUST_CHECK;
/*
 * The same with a stored credential: it must be the tenant's, of the type that the way keeps (an absent `auth` is the
 * first such way), and of this service or of none. ERR_BAD_INPUT at `credential_id`.
 */
enum err connection_by_credential(struct ctx *cx, const struct connector_type *type,
				  struct str auth, const struct id *credential,
				  struct connector *connector) MUST_CHECK;
/*
 * Merges members of `config` into a connector's credential; when that changes it, the connector is pending again.
 * A secret that comes back as its own mask stays. ERR_BAD_INPUT as above.
 */
enum err connection_merge(struct ctx *cx, const struct connector_type *type, const json_t *config,
			  struct connector *connector, bool *ret_changed) MUST_CHECK;
/* A disabled connector is again what its credential is. The type is NULL when it is gone from the catalogue. */
enum err connection_enable(struct ctx *cx, const struct connector_type *type,
			   struct connector *connector) MUST_CHECK;
/* The connector has let go of its credential: one that it made, and that nothing else uses, is hidden. */
enum err connection_release(struct ctx *cx, const struct id *credential, bool owned) MUST_CHECK;

/* --- of connection.c and connection_merge.c --- */
#define CONNECTION_BY_CONSENT "is connected by a consent page: GET /api/v1/oauth/start/{type}"

struct credential;

/* A stored credential, locked; the audit row stays about the connector. */
enum err connection_lock_credential(struct ctx *cx, const struct id *id,
				    struct credential *ret_credential) MUST_CHECK;
/* What a connector is before it was tried; what nobody can try is taken for good. */
struct str connection_untried(const struct connector_type *type, const struct auth_way *way);
/* Puts the status in, without an error. The background looks first after a day: whoever connects tries it at once. */
void connection_begin(struct ctx *cx, struct str status, struct connector *connector);
/*
 * The way of a config: `auth`, or the first that asks for one. NULL, and a bad place, for none and for a consent
 * page.
 */
const struct auth_way *connection_way(struct ctx *cx, const struct connector_type *type, struct str auth);
/* The config as the credential's data. */
enum err connection_read_config(struct ctx *cx, const struct connector_type *type,
				const struct auth_way *way, const json_t *config,
				json_t **ret_data) MUST_CHECK;
/* Bad places of the credential's data become those of the config. */
void connection_name_places(struct ctx *cx, const struct connector_type *type);

#endif

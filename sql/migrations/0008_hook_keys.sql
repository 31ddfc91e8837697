-- Keys of providers that sign their webhooks with one that they publish at an address.

-- What the front may believe. The worker alone writes it, after it has looked at what it fetched.
CREATE TABLE hook_fetched_key (
	connector_type VARCHAR(64) NOT NULL COMMENT 'a key counts for the type whose addresses it was fetched by, and for no other',
	url_hash BINARY(32) NOT NULL COMMENT 'SHA-256 of the address',
	document BLOB NULL COMMENT 'SubjectPublicKeyInfo in DER, or a JWK set; NULL: what lies there is no good key',
	fetched_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL COMMENT 'the row says nothing afterwards',
	PRIMARY KEY (connector_type, url_hash),
	KEY fetched_at (fetched_at)
);

-- What the front would like to know: it can't call out.
CREATE TABLE hook_wanted_key (
	connector_type VARCHAR(64) NOT NULL,
	url_hash BINARY(32) NOT NULL,
	url VARCHAR(512) NOT NULL,
	wanted_by BINARY(16) NOT NULL COMMENT 'the connector that was first: each has a few wishes at a time',
	wanted_at BIGINT NOT NULL COMMENT 'when a delivery last needed it',
	tried_at BIGINT NOT NULL DEFAULT 0,
	retry_at BIGINT NOT NULL DEFAULT 0 COMMENT 'not fetched again before',
	failures INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'in a row',
	PRIMARY KEY (connector_type, url_hash),
	KEY wanted_at (wanted_at)
);

/* The keys of one directory, in memory. The files are keyfile.c's. */
#include "crypt/keyring.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "crypt/encode.h"
#include "crypt/hash.h"
#include "crypt/keyfile.h"

/* Pointers, so that a key keeps its place while others come. Sorted by id. */
struct key_set {
	struct root_key *v[KEYRING_KEYS_MAX];
	size_t n;
	const struct root_key *current;
};

struct keyring {
	struct key_directory directory;
	char *name;
	struct secret passphrase;
	bool sealed; /* whether there is a passphrase */
	struct key_set keys;
};

bool keyring_id_valid(struct str id)
{
	if (id.n == 0 || id.n > KEYRING_ID_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (!((id.p[i] >= 'a' && id.p[i] <= 'z') || (id.p[i] >= '0' && id.p[i] <= '9')))
			return false;
	return true;
}

/* --- the set of keys ----------------------------------------------------- */

static void set_done(struct key_set *keys)
{
	for (size_t i = 0; i < keys->n; i++) {
		secret_done(&keys->v[i]->key);
		free(keys->v[i]);
	}
	*keys = (struct key_set){ .n = 0 };
}

/* The place of the id, or the one where it belongs. */
static size_t set_place(const struct key_set *keys, struct str id)
{
	size_t i = 0;

	while (i < keys->n) {
		struct str other = root_key_id(keys->v[i]);
		int order = memcmp(other.p, id.p, other.n < id.n ? other.n : id.n);

		if (order > 0 || (order == 0 && other.n >= id.n))
			break;
		i++;
	}
	return i;
}

static const struct root_key *set_find(const struct key_set *keys, struct str id)
{
	size_t i = set_place(keys, id);

	return i < keys->n && str_eq(root_key_id(keys->v[i]), id) ? keys->v[i] : NULL;
}

/* Reads one more key from its file. */
static enum err set_read(struct key_set *keys, const struct key_directory *directory,
			 const struct secret *passphrase, struct str id,
			 const struct root_key **ret_key)
{
	size_t place = set_place(keys, id);
	struct root_key *key;
	enum err e;

	if (keys->n == KEYRING_KEYS_MAX)
		return key_directory_fail(directory, ERR_CONFIG,
					  "key directory %s: more than %d keys", directory->name,
					  KEYRING_KEYS_MAX);
	key = calloc(1, sizeof(*key));
	if (!key)
		return ERR_NO_MEMORY;
	e = keyfile_read(directory, id, passphrase, key);
	if (e != OK) {
		free(key);
		return e;
	}
	memmove(keys->v + place + 1, keys->v + place, (keys->n - place) * sizeof(keys->v[0]));
	keys->v[place] = key;
	keys->n++;
	*ret_key = key;
	return OK;
}

static bool is_key_file(const char *name, struct str *ret_id)
{
	struct str file = str_of(name);
	struct str suffix = STR(KEYFILE_SUFFIX);

	if (!str_ends(file, suffix))
		return false;
	*ret_id = str_slice(file, 0, file.n - suffix.n);
	return keyring_id_valid(*ret_id);
}

static enum err set_read_files(struct key_set *keys, const struct key_directory *directory,
			       const struct secret *passphrase, DIR *files)
{
	const struct root_key *key;
	const struct dirent *entry;
	struct str id;

	/* Other names are none of ours: `current`, leftovers of a crash, README. */
	for (entry = readdir(files); entry; entry = readdir(files))
		if (is_key_file(entry->d_name, &id))
			TRY(set_read(keys, directory, passphrase, id, &key));
	return OK;
}

static enum err set_read_all(struct key_set *keys, const struct key_directory *directory,
			     const struct secret *passphrase)
{
	char current[KEYRING_ID_MAX + 1];
	int fd = openat(directory->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *files = fd >= 0 ? fdopendir(fd) : NULL;
	enum err e;

	if (!files) {
		e = key_directory_fail(directory, ERR_IO, "key directory %s: %s", directory->name,
				       strerror(errno));
		if (fd >= 0)
			close(fd);
		return e;
	}
	e = set_read_files(keys, directory, passphrase, files);
	closedir(files);
	TRY(e);
	TRY(keyfile_read_current(directory, current));
	keys->current = set_find(keys, str_of(current));
	if (!keys->current)
		return key_directory_fail(directory, ERR_NO_KEY,
					  "root key %s, the current one, is missing in %s", current,
					  directory->name);
	return OK;
}

/* --- the keyring --------------------------------------------------------- */

static const struct secret *passphrase_of(const struct keyring *keyring)
{
	return keyring->sealed ? &keyring->passphrase : NULL;
}

/* Where the words of the next failure go. */
static void listen_for_why(struct keyring *keyring, char *ret_why)
{
	if (ret_why)
		ret_why[0] = '\0';
	keyring->directory.why = ret_why;
}

static enum err keyring_fill(struct keyring *keyring, const char *directory,
			     const struct secret *passphrase, char *why)
{
	keyring->directory.fd = -1;
	keyring->name = strdup(directory);
	if (!keyring->name)
		return ERR_NO_MEMORY;
	if (passphrase)
		TRY(secret_copy(passphrase->p, passphrase->n, &keyring->passphrase));
	keyring->sealed = passphrase != NULL;
	TRY(key_directory_open(keyring->name, why, &keyring->directory));
	return set_read_all(&keyring->keys, &keyring->directory, passphrase);
}

enum err keyring_open(const char *directory, const struct secret *passphrase,
		      char ret_why[KEYRING_WHY_MAX], struct keyring **ret_keyring)
{
	struct keyring *keyring = calloc(1, sizeof(*keyring));
	enum err e;

	*ret_keyring = NULL;
	if (!keyring)
		return ERR_NO_MEMORY;
	if (ret_why)
		ret_why[0] = '\0';
	e = keyring_fill(keyring, directory, passphrase, ret_why);
	if (e != OK) {
		keyring_free(keyring);
		return e;
	}
	*ret_keyring = keyring;
	return OK;
}

void keyring_free(struct keyring *keyring)
{
	if (!keyring)
		return;
	set_done(&keyring->keys);
	secret_done(&keyring->passphrase);
	key_directory_close(&keyring->directory);
	free(keyring->name);
	free(keyring);
}

const struct root_key *keyring_current(const struct keyring *keyring)
{
	return keyring->keys.current;
}

enum err keyring_find(struct keyring *keyring, struct str id, char ret_why[KEYRING_WHY_MAX],
		      const struct root_key **ret_key)
{
	listen_for_why(keyring, ret_why);
	*ret_key = NULL;
	if (!keyring_id_valid(id))
		return key_directory_fail(&keyring->directory, ERR_NO_KEY, "not a root key's id");
	*ret_key = set_find(&keyring->keys, id);
	if (*ret_key)
		return OK;
	return set_read(&keyring->keys, &keyring->directory, passphrase_of(keyring), id, ret_key);
}

enum err keyring_reload(struct keyring *keyring, char ret_why[KEYRING_WHY_MAX])
{
	struct key_set keys = { .n = 0 };
	enum err e;

	listen_for_why(keyring, ret_why);
	e = set_read_all(&keys, &keyring->directory, passphrase_of(keyring));
	if (e != OK) {
		set_done(&keys);
		return e;
	}
	set_done(&keyring->keys);
	keyring->keys = keys;
	return OK;
}

size_t keyring_count(const struct keyring *keyring) { return keyring->keys.n; }

const struct root_key *keyring_at(const struct keyring *keyring, size_t index)
{
	return index < keyring->keys.n ? keyring->keys.v[index] : NULL;
}

void keyring_check_value(const struct root_key *key, uint8_t ret_check[KEYRING_CHECK_BYTES])
{
	uint8_t mac[SHA256_BYTES];

	hmac_sha256_of(&key->key, BYTES(STR("latchwork key check v1")), mac);
	memcpy(ret_check, mac, KEYRING_CHECK_BYTES);
}

/* --- changes on disk ----------------------------------------------------- */

/* v, the day and eight random hex digits: two made on one day differ. */
static enum err new_id(char ret_id[KEYRING_ID_MAX + 1])
{
	time_t now = (time_t)(clock_now_ms() / 1000);
	uint8_t bytes[4];
	struct tm day;
	size_t n;

	TRY(random_bytes(bytes, sizeof(bytes)));
	if (!gmtime_r(&now, &day))
		return ERR_INTERNAL;
	n = strftime(ret_id, KEYRING_ID_MAX + 1 - HEX_CHARS(sizeof(bytes)), "v%Y%m%d", &day);
	hex_encode_to((struct str){ (const char *)bytes, sizeof(bytes) }, ret_id + n);
	return OK;
}

static enum err new_key(struct root_key *key)
{
	TRY(new_id(key->id));
	TRY(secret_new(KEYRING_KEY_BYTES, &key->key));
	return random_bytes(key->key.p, key->key.n);
}

enum err keyring_create(const char *directory, const struct secret *passphrase, mode_t mode,
			char ret_why[KEYRING_WHY_MAX], char ret_id[KEYRING_ID_MAX + 1])
{
	struct root_key key = { .key = SECRET_EMPTY };
	CLEANUP(key_directory_close) struct key_directory place;
	enum err e;

	ret_id[0] = '\0';
	TRY(key_directory_open(directory, ret_why, &place));
	e = new_key(&key);
	if (e == OK)
		e = keyfile_write(&place, &key, passphrase, mode);
	if (e == OK)
		memcpy(ret_id, key.id, sizeof(key.id));
	secret_done(&key.key);
	return e;
}

enum err keyring_set_current(const char *directory, struct str id, char ret_why[KEYRING_WHY_MAX])
{
	CLEANUP(key_directory_close) struct key_directory place;

	TRY(key_directory_open(directory, ret_why, &place));
	if (!keyring_id_valid(id))
		return key_directory_fail(&place, ERR_NO_KEY, "not a root key's id");
	TRY(keyfile_exists(&place, id));
	return keyfile_write_current(&place, id);
}

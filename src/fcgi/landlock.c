#include "fcgi/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights and members that newer kernels know than the headers that we are built with (landlock(7)). */
enum {
	ABI_REFER = 2,
	ABI_TRUNCATE = 3,
	ABI_NET = 4,
	ABI_IOCTL = 5,
	ABI_SCOPE = 6,
};
static const uint64_t FILE_RIGHTS_1 = (1U << 13) - 1, RIGHT_REFER = 1U << 13, RIGHT_TRUNCATE = 1U << 14,
		      RIGHT_IOCTL = 1U << 15, NET_RIGHTS = 3, SCOPES = 3;

struct ruleset {
	uint64_t files;
	uint64_t net;
	uint64_t scopes;
};

static const uint64_t RUN = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE;

/* Not all of /usr: a service may be installed there, with its keys. */
static const char *const SYSTEM[] = { "/usr/lib",	    "/usr/lib32",	  "/usr/lib64",	       "/lib",
				      "/lib64",		    "/usr/share/poppler", "/usr/share/fonts", "/etc/fonts",
				      "/etc/ld.so.cache" };

static struct ruleset rules_of(int abi)
{
	struct ruleset rules = { .files = FILE_RIGHTS_1 };

	if (abi >= ABI_REFER)
		rules.files |= RIGHT_REFER;
	if (abi >= ABI_TRUNCATE)
		rules.files |= RIGHT_TRUNCATE;
	if (abi >= ABI_IOCTL)
		rules.files |= RIGHT_IOCTL;
	if (abi >= ABI_NET)
		rules.net = NET_RIGHTS;
	if (abi >= ABI_SCOPE)
		rules.scopes = SCOPES;
	return rules;
}

static size_t size_for(int abi)
{
	if (abi >= ABI_SCOPE)
		return sizeof(struct ruleset);
	return abi >= ABI_NET ? offsetof(struct ruleset, scopes) : offsetof(struct ruleset, net);
}

/* What isn't on this machine needs no rule. */
static enum err let(int rules, const char *path)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = RUN };
	struct stat is;
	long done;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT ? OK : ERR_NOT_READY;
	if (fstat(rule.parent_fd, &is) != 0) {
		close(rule.parent_fd);
		return ERR_NOT_READY;
	}
	if (S_ISDIR(is.st_mode))
		rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
	done = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
	return done == 0 ? OK : ERR_NOT_READY;
}

static enum err restrict_to(int rules, const char *program)
{
	for (size_t i = 0; i < ARRAY_SIZE(SYSTEM); i++)
		TRY(let(rules, SYSTEM[i]));
	TRY(let(rules, program));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_landlock_restrict_self, rules, 0) != 0)
		return ERR_NOT_READY;
	return OK;
}

/* 0 or less: none. */
static long version(void) { return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION); }

bool landlock_is_possible(void) { return version() > 0; }

enum err landlock_leave(const char *program)
{
	long abi = version(), fd;
	struct ruleset rules;
	enum err e;

	if (abi < 1)
		return ERR_NOT_READY;
	rules = rules_of((int)abi);
	fd = syscall(SYS_landlock_create_ruleset, &rules, size_for((int)abi), 0);
	if (fd < 0)
		return ERR_NOT_READY;
	e = restrict_to((int)fd, program);
	close((int)fd);
	return e;
}

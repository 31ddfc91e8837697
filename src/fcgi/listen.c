/* Making the pool's socket: under another name first, then into place in one step. */
#include "fcgi/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

enum {
	BACKLOG = 1024, /* the kernel cuts it to net.core.somaxconn */
	SYSTEMD_FD = 3,
	RETRY_MS = 50,
	SUFFIX_MAX = 8, /* of the lock and the unfinished socket: ".lock", ".new" */
};

static enum err fail(enum err e, const char *words, const char **ret_why)
{
	*ret_why = words;
	return e;
}

/* --- systemd's ------------------------------------------------------------ */

/* sd_listen_fds(3): how many descriptors are meant for this very process. */
static uint64_t systemd_gave(void)
{
	const char *pid = getenv("LISTEN_PID"), *given = getenv("LISTEN_FDS");
	uint64_t number, count;

	if (!pid || !given || !str_to_u64(str_of(pid), &number) || number != (uint64_t)getpid())
		return 0;
	return str_to_u64(str_of(given), &count) ? count : 0;
}

static bool socket_option_is(int fd, int option, int wanted)
{
	int value = -1;
	socklen_t n = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &n) == 0 && value == wanted;
}

/* No child is to take them for its own. */
static void forget_systemd(void)
{
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

static enum err adopt(unsigned place, bool last, struct listener *ret_listener, const char **ret_why)
{
	int fd = SYSTEMD_FD + (int)place;

	if (last)
		forget_systemd();
	if (!socket_option_is(fd, SO_DOMAIN, AF_UNIX) || !socket_option_is(fd, SO_TYPE, SOCK_STREAM) ||
	    !socket_option_is(fd, SO_ACCEPTCONN, 1))
		return fail(ERR_CONFIG, "systemd's socket is no listening unix stream socket", ret_why);
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return fail(ERR_IO, "systemd's socket can't be set up", ret_why);
	*ret_listener = (struct listener){ .fd = fd, .from_systemd = true };
	return OK;
}

/* --- our own -------------------------------------------------------------- */

static void address_of(const char *path, struct sockaddr_un *ret_address)
{
	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret_address->sun_path, path, strlen(path) + 1);
}

/* Whether somebody answers there. A full queue is an answer too. */
static bool somebody_listens(const char *path)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return true; /* not known: leave it alone */
	address_of(path, &address);
	bool refused = connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 &&
		       (errno == ECONNREFUSED || errno == ENOENT);
	close(fd);
	return !refused;
}

/* The place is free, or becomes so in time. */
static enum err wait_for_place(const char *path, int patience_ms, const char **ret_why)
{
	int64_t until = clock_monotonic_us() + (int64_t)patience_ms * 1000;
	struct stat st;

	for (;;) {
		if (lstat(path, &st) != 0)
			return errno == ENOENT ? OK : fail(ERR_IO, "the socket's directory can't be read", ret_why);
		if (!S_ISSOCK(st.st_mode))
			return fail(ERR_CONFIG, "there is a file where the socket should be", ret_why);
		if (!somebody_listens(path))
			return OK;
		if (clock_monotonic_us() >= until)
			return fail(ERR_CONFLICT, "another latchd holds this socket", ret_why);
		poll(NULL, 0, RETRY_MS);
	}
}

static enum err give_to_group(const char *path, const char *group, const char **ret_why)
{
	if (!group || !*group)
		return OK;
	const struct group *entry = getgrnam(group);
	if (!entry)
		return fail(ERR_CONFIG, "the socket's group doesn't exist", ret_why);
	if (chown(path, (uid_t)-1, entry->gr_gid) != 0)
		return fail(ERR_IO, "the socket can't be given to its group", ret_why);
	return OK;
}

/* A listening socket at `path`, which only its owner can reach until the mode is set. */
static enum err bind_at(const char *path, const char *group, int *ret_fd, const char **ret_why)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return fail(ERR_IO, "no socket to be had", ret_why);
	address_of(path, &address);
	unlink(path); /* left by a process that died right here */
	mode_t before = umask(0177);
	int bound = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	umask(before);
	enum err e = OK;
	if (bound != 0)
		e = fail(ERR_IO, "the socket can't be made in its directory", ret_why);
	if (e == OK)
		e = give_to_group(path, group, ret_why);
	if (e == OK && (chmod(path, 0660) != 0 || listen(fd, BACKLOG) != 0))
		e = fail(ERR_IO, "the socket can't be opened", ret_why);
	if (e != OK) {
		if (bound == 0)
			unlink(path);
		close(fd);
		return e;
	}
	*ret_fd = fd;
	return OK;
}

static enum err place(const struct listen_options *options, struct listener *ret_listener,
		      const char **ret_why)
{
	struct listener made = { .fd = -1 };
	char unfinished[sizeof(made.path)];
	struct stat st;

	TRY(wait_for_place(options->path, options->patience_ms, ret_why));
	snprintf(made.path, sizeof(made.path), "%s", options->path);
	snprintf(unfinished, sizeof(unfinished), "%.*s.new", (int)(sizeof(unfinished) - SUFFIX_MAX),
		 options->path);
	TRY(bind_at(unfinished, options->group, &made.fd, ret_why));
	if (lstat(unfinished, &st) != 0 || rename(unfinished, options->path) != 0) {
		unlink(unfinished);
		close(made.fd);
		return fail(ERR_IO, "the socket can't be put into place", ret_why);
	}
	made.device = st.st_dev;
	made.inode = st.st_ino;
	*ret_listener = made;
	return OK;
}

enum err listen_open(const struct listen_options *options, struct listener *ret_listener,
		     const char **ret_why)
{
	char lock[sizeof(ret_listener->path)];
	uint64_t given;

	*ret_why = "";
	given = systemd_gave();
	if (given > options->place)
		return adopt(options->place, given == options->place + 1, ret_listener, ret_why);
	if (!options->path || !*options->path ||
	    strlen(options->path) + SUFFIX_MAX > sizeof(ret_listener->path))
		return fail(ERR_CONFIG, "the socket's path is empty or too long", ret_why);
	snprintf(lock, sizeof(lock), "%.*s.lock", (int)(sizeof(lock) - SUFFIX_MAX), options->path);
	/* Two that start at once must not both find the place free. */
	int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(ERR_IO, "the socket's directory can't be written", ret_why);
	enum err e = flock(fd, LOCK_EX) == 0 ? place(options, ret_listener, ret_why) :
					       fail(ERR_IO, "the socket's lock fails", ret_why);
	close(fd);
	return e;
}

void listen_unlink(struct listener *listener)
{
	struct stat st;

	if (listener->path[0] == '\0')
		return;
	if (lstat(listener->path, &st) == 0 && st.st_dev == listener->device &&
	    st.st_ino == listener->inode)
		unlink(listener->path);
	listener->path[0] = '\0';
}

void listen_close(struct listener *listener)
{
	listen_unlink(listener);
	if (listener->fd >= 0)
		close(listener->fd);
	listener->fd = -1;
}

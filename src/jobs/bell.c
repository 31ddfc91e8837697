#include "jobs/bell.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { RINGS_MAX = 64 };

static enum err address_of(const char *path, struct sockaddr_un *ret_address)
{
	size_t n = strlen(path);

	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (n >= sizeof(ret_address->sun_path))
		return ERR_TOO_BIG;
	memcpy(ret_address->sun_path, path, n + 1);
	return OK;
}

enum err bell_hang(const char *path, int *ret_fd)
{
	struct sockaddr_un address;
	int fd;

	TRY(address_of(path, &address));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return ERR_IO;
	/* One that a killed worker left. Two workers on one machine: the later one hears, the other looks by itself. */
	(void)unlink(path);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 || chmod(path, 0666) != 0) {
		close(fd);
		return ERR_IO;
	}
	*ret_fd = fd;
	return OK;
}

bool bell_clear(int fd)
{
	char rings[RINGS_MAX];
	int n = 0;

	while (n < RINGS_MAX && recv(fd, rings, sizeof(rings), MSG_DONTWAIT) >= 0)
		n++;
	return n > 0;
}

void bell_ring(const char *path)
{
	static int fd = -1;
	struct sockaddr_un address;

	if (address_of(path, &address) != OK)
		return;
	if (fd < 0)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		(void)sendto(fd, "!", 1, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address,
			     sizeof(address));
}

enum err chime_hang(struct chime *ret_chime)
{
	for (size_t i = 0; i < CHIME_MAX; i++) {
		ret_chime->fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (ret_chime->fd[i] < 0)
			return ERR_IO;
	}
	return OK;
}

void chime_strike(const struct chime *chime, unsigned hearers)
{
	for (unsigned i = 0; i < hearers && i < CHIME_MAX; i++)
		(void)eventfd_write(chime->fd[i], 1);
}

void chime_clear(int fd)
{
	eventfd_t strokes;

	(void)eventfd_read(fd, &strokes);
}

#include "fcgi/pidfile.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

enum err pidfile_write(const char *path)
{
	char unfinished[4096], text[24];

	if (!path)
		return OK;
	int n = snprintf(unfinished, sizeof(unfinished), "%s.new", path);
	if (n < 0 || (size_t)n >= sizeof(unfinished))
		return ERR_CONFIG;
	int fd = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return ERR_CONFIG;
	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	bool written = write(fd, text, (size_t)n) == n;
	close(fd);
	if (written && rename(unfinished, path) == 0)
		return OK;
	unlink(unfinished);
	return ERR_CONFIG;
}

void pidfile_remove(const char *path)
{
	if (path)
		unlink(path);
}

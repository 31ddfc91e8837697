#include "fcgi/spare.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool spare_hold(struct spare *spare)
{
	if (spare->fd < 0)
		spare->fd = fcntl(spare->like, F_DUPFD_CLOEXEC, 0);
	return spare->fd >= 0;
}

bool spare_spend(struct spare *spare, int error_number)
{
	if (spare->fd < 0 || (error_number != EMFILE && error_number != ENFILE))
		return false;
	spare_done(spare);
	return true;
}

void spare_done(struct spare *spare)
{
	if (spare->fd >= 0)
		close(spare->fd);
	spare->fd = -1;
}

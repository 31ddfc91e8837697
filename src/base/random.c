/* Random bytes straight from the kernel. */
#include "base/random.h"

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

enum err random_bytes(void *ret_bytes, size_t n)
{
	uint8_t *p = ret_bytes;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);
		if (got < 0) {
			if (errno == EINTR)
				continue;
			return ERR_CRYPTO;
		}
		p += got;
		n -= (size_t)got;
	}
	return OK;
}

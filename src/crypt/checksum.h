/* Checksums: they show accidents, and stop nobody. For providers that sign one instead of the body. */
#ifndef LW_CRYPT_CHECKSUM_H
#define LW_CRYPT_CHECKSUM_H

#include <stdint.h>

#include "base/str.h"

/* CRC-32 as in gzip (RFC 1952, section 8). */
uint32_t crc32_of(struct str bytes);

#endif

#include "crypt/checksum.h"

#include <zlib.h>

uint32_t crc32_of(struct str bytes) { return (uint32_t)crc32_z(0, (const Bytef *)bytes.p, bytes.n); }

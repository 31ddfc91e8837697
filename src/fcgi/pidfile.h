/* The file that says which process a service runs as. */
#ifndef LW_FCGI_PIDFILE_H
#define LW_FCGI_PIDFILE_H

#include "base/attr.h"
#include "base/err.h"

/* Replaces the file in one step. NULL: none is wanted. ERR_CONFIG when it can't be written. */
enum err pidfile_write(const char *path) MUST_CHECK;
void pidfile_remove(const char *path);

#endif

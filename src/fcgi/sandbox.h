/*
 * What a process may still ask of the kernel once it has started (seccomp).
 *
 * An allow-list: what isn't on it fails with EPERM. The filter is inherited by children and can't
 * be taken off. Called when a process has opened what it needs by other means.
 */
#ifndef LW_FCGI_SANDBOX_H
#define LW_FCGI_SANDBOX_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

/* Whether addresses are limited: sanitizers reserve terabytes of them, of which they use little. */
#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_LIMITS_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANDBOX_LIMITS_MEMORY 0
#endif
#endif
#ifndef SANDBOX_LIMITS_MEMORY
#define SANDBOX_LIMITS_MEMORY 1
#endif

/* No new program, no new privilege; sockets: AF_UNIX only, others fail with EACCES. */
enum err sandbox_front(void) MUST_CHECK;
/* The same, and TCP and UDP over IPv4 and IPv6 (no raw sockets). */
enum err sandbox_vault(void) MUST_CHECK;
/* The same for their masters, who also make processes. Workers enter theirs inside of it. */
enum err sandbox_front_master(void) MUST_CHECK;
enum err sandbox_vault_master(void) MUST_CHECK;
/* As sandbox_vault, and may start programs: for latch-worker, which runs the PDF reader in a child. */
enum err sandbox_jobs(void) MUST_CHECK;
/* As sandbox_front, without any socket, and signals only to itself, for that child: called between fork and exec. */
enum err sandbox_child(void) MUST_CHECK;
/*
 * What it takes to compute and to use what is open, for a process that runs what strangers wrote: no file, no socket,
 * no clock but to read it. What only somebody would try who has taken it over (another program or process, a
 * connection) ends it.
 */
enum err sandbox_evaluator(void) MUST_CHECK;
/* Whether the kernel filters system calls at all. */
bool sandbox_is_possible(void);

#endif

/*
 * What a process may still ask of the kernel once it has started (seccomp).
 *
 * An allow-list: what isn't on it fails with EPERM. The filter is inherited by children and can't
 * be taken off. Called when a process has opened what it needs by other means.
 */
#ifndef LW_FCGI_SANDBOX_H
#define LW_FCGI_SANDBOX_H

#include "base/attr.h"
#include "base/err.h"

/* No new program, no new privilege; sockets: AF_UNIX only, others fail with EACCES. */
enum err sandbox_front(void) MUST_CHECK;
/* The same, and TCP and UDP over IPv4 and IPv6 (no raw sockets). */
enum err sandbox_vault(void) MUST_CHECK;
/* The same for their masters, who also make processes. Workers enter theirs inside of it. */
enum err sandbox_front_master(void) MUST_CHECK;
enum err sandbox_vault_master(void) MUST_CHECK;
/* As sandbox_vault, and may start programs: for latch-worker, which runs the PDF reader in a child. */
enum err sandbox_jobs(void) MUST_CHECK;
/* As sandbox_front, without any socket, for that child: called between fork and exec. */
enum err sandbox_child(void) MUST_CHECK;

#endif

/*
 * The allow-lists: what our libraries ask for (libmariadb, libcurl, GnuTLS, glibc's resolver),
 * rounded up to families, so that another version of a library, which asks for the same thing by a
 * sibling call, doesn't fail.
 */
#include "fcgi/sandbox.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Memory, time, files, waiting, signals, and the sockets that are open already. */
static const int common[] = {
	SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect),
	SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(mlock2), SCMP_SYS(munlock), SCMP_SYS(membarrier),
	SCMP_SYS(memfd_create), SCMP_SYS(rseq),

	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(preadv2),
	SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(pwritev2),
	SCMP_SYS(sendfile), SCMP_SYS(splice), SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(close_range),
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(creat), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(getcwd), SCMP_SYS(getdents), SCMP_SYS(getdents64),
	SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
	SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
	SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fadvise64), SCMP_SYS(flock), SCMP_SYS(fcntl),
	SCMP_SYS(umask), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(pipe), SCMP_SYS(pipe2),

	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(epoll_create),
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2), SCMP_SYS(eventfd), SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime), SCMP_SYS(signalfd), SCMP_SYS(signalfd4),
	SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list), SCMP_SYS(restart_syscall),
	SCMP_SYS(pause), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(times),
	SCMP_SYS(setitimer), SCMP_SYS(getitimer), SCMP_SYS(alarm),

	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigsuspend),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(wait4), SCMP_SYS(waitid),

	SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
	SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getgroups), SCMP_SYS(getresuid),
	SCMP_SYS(getresgid), SCMP_SYS(getpgrp), SCMP_SYS(getpgid), SCMP_SYS(getsid),
	SCMP_SYS(set_tid_address), SCMP_SYS(arch_prctl), SCMP_SYS(getrlimit), SCMP_SYS(getrusage),
	SCMP_SYS(getpriority), SCMP_SYS(sysinfo), SCMP_SYS(uname), SCMP_SYS(getcpu),
	SCMP_SYS(getrandom), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler),

	SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg),
	SCMP_SYS(sendmmsg), SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname), SCMP_SYS(getpeername),
};

static const int sockets[] = { SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(connect),
			       SCMP_SYS(bind), SCMP_SYS(listen) };

/* A key that a client library takes as a file goes to one in memory, which nobody else may read. */
static const int key_files[] = { SCMP_SYS(fchmod) };

/* What it takes to run another program in a child with limits of its own. */
static const int children[] = { SCMP_SYS(fork),	 SCMP_SYS(vfork),     SCMP_SYS(kill),
				SCMP_SYS(setpgid), SCMP_SYS(setsid),  SCMP_SYS(setrlimit),
				SCMP_SYS(chdir), SCMP_SYS(fchdir),    SCMP_SYS(seccomp) };

/* fexecve is execveat; old kernels' glibc takes execve on /proc/self/fd. Landlock: to have them reach less still. */
static const int programs[] = { SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(landlock_create_ruleset),
				SCMP_SYS(landlock_add_rule), SCMP_SYS(landlock_restrict_self) };

/* Memory that holds no code, the connection, an alarm, and the end. */
static const int computing[] = {
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(rseq),
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(recvfrom), SCMP_SYS(sendto),
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(setitimer), SCMP_SYS(getrandom),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall),
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* Not socket, not open: glibc tries those by itself when somebody asks for a time zone or a home directory. */
static const int never_by_mistake[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(clone), SCMP_SYS(clone3),
	SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(pidfd_open),
	SCMP_SYS(io_uring_setup), SCMP_SYS(bpf), SCMP_SYS(keyctl), SCMP_SYS(userfaultfd),
};

struct profile {
	bool unix_sockets;
	bool inet_sockets;
	bool children;
	bool programs;
	bool alone; /* it sends signals to itself only */
};

static bool allow(scmp_filter_ctx filter, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		/* Below zero: this machine has no such call. */
		if (calls[i] >= 0 && seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0) != 0)
			return false;
	}
	return true;
}

static bool end_at(scmp_filter_ctx filter, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (calls[i] >= 0 && seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, calls[i], 0) != 0)
			return false;
	return true;
}

/* socket(domain, SOCK_STREAM or SOCK_DGRAM); the flags in the type don't matter. */
static bool allow_domain(scmp_filter_ctx filter, int call, int domain)
{
	static const uint64_t types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 2,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)domain),
				     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, types[i])) != 0)
			return false;
	return true;
}

/* socketpair(AF_UNIX, SOCK_SEQPACKET): the channel on which workers hand over connections. */
static bool allow_handover(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 2,
				SCMP_A0(SCMP_CMP_EQ, AF_UNIX),
				SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_SEQPACKET)) == 0;
}

static bool allow_sockets(scmp_filter_ctx filter, const struct profile *profile)
{
	bool done = true;

	if (profile->unix_sockets)
		done = allow(filter, sockets, ARRAY_SIZE(sockets)) &&
		       allow_domain(filter, SCMP_SYS(socket), AF_UNIX) &&
		       allow_domain(filter, SCMP_SYS(socketpair), AF_UNIX) &&
		       allow_handover(filter);
	if (done && profile->inet_sockets)
		done = allow(filter, key_files, ARRAY_SIZE(key_files)) &&
		       allow_domain(filter, SCMP_SYS(socket), AF_INET) &&
		       allow_domain(filter, SCMP_SYS(socket), AF_INET6);
	return done;
}

/* Threads (libcurl's resolver) and, with `children`, processes; never a new name space. */
static bool allow_clone(scmp_filter_ctx filter, const struct profile *profile)
{
	const uint64_t spaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
				CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
	const uint64_t mask = spaces | (profile->children ? 0 : CLONE_THREAD);
	const uint64_t wanted = profile->children ? 0 : CLONE_THREAD;

	/* clone3's flags lie in memory, where a filter can't look: glibc takes clone when it's missing. */
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0 &&
	       seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				SCMP_A0(SCMP_CMP_MASKED_EQ, mask, wanted)) == 0;
}

/* A signal to itself: what abort is made of. */
static bool allow_abort(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid())) == 0;
}

static bool allow_signals(scmp_filter_ctx filter, const struct profile *profile)
{
	return profile->alone ? allow_abort(filter) : allow(filter, (const int[]){ SCMP_SYS(tgkill) }, 1);
}

/* Calls of many purposes, of which few are ours. */
static bool allow_narrow(scmp_filter_ctx filter, const struct profile *profile)
{
	static const uint64_t purposes[] = { PR_SET_NAME, PR_GET_NAME, PR_SET_PDEATHSIG,
					     PR_SET_DUMPABLE, PR_GET_DUMPABLE, PR_SET_NO_NEW_PRIVS,
					     PR_GET_NO_NEW_PRIVS,
					     PR_SET_SECCOMP, PR_SET_VMA };
	static const uint64_t requests[] = { FIONREAD, FIONBIO, FIOCLEX, TCGETS };

	for (size_t i = 0; i < ARRAY_SIZE(purposes); i++)
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				     SCMP_A0(SCMP_CMP_EQ, purposes[i])) != 0)
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				     SCMP_A1(SCMP_CMP_EQ, requests[i])) != 0)
			return false;
	if (profile->children)
		return allow(filter, (const int[]){ SCMP_SYS(prlimit64) }, 1);
	/* Reading limits (the new limits' address is NULL), not setting them. */
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
				SCMP_A2(SCMP_CMP_EQ, 0)) == 0;
}

/* One for sockets, so that a refused address family reads as what it is: EACCES. */
static bool refuse_domains(scmp_filter_ctx filter, const struct profile *profile)
{
	for (int domain = 0; domain < AF_MAX; domain++) {
		bool inet = domain == AF_INET || domain == AF_INET6;

		if ((profile->unix_sockets && domain == AF_UNIX) || (profile->inet_sockets && inet))
			continue;
		if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)domain)) != 0)
			return false;
	}
	return true;
}

/* Memory of data only, and a signal only to itself. */
static bool allow_own(scmp_filter_ctx filter)
{
	static const int memory[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };

	for (size_t i = 0; i < ARRAY_SIZE(memory); i++)
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, memory[i], 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) != 0)
			return false;
	return allow_abort(filter);
}

static scmp_filter_ctx new_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	if (filter && (seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 1) != 0 ||
		       seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) != 0)) {
		seccomp_release(filter);
		return NULL;
	}
	return filter;
}

static enum err enter(const struct profile *profile)
{
	scmp_filter_ctx filter = new_filter();

	if (!filter)
		return ERR_NO_MEMORY;
	bool done = allow(filter, common, ARRAY_SIZE(common)) && allow_sockets(filter, profile) &&
		    refuse_domains(filter, profile) && allow_clone(filter, profile) &&
		    allow_narrow(filter, profile) && allow_signals(filter, profile);
	if (done && profile->children)
		done = allow(filter, children, ARRAY_SIZE(children));
	if (done && profile->programs)
		done = allow(filter, programs, ARRAY_SIZE(programs));
	done = done && seccomp_load(filter) == 0;
	seccomp_release(filter);
	return done ? OK : ERR_IO;
}

enum err sandbox_front(void)
{
	return enter(&(struct profile){ .unix_sockets = true });
}

enum err sandbox_vault(void)
{
	return enter(&(struct profile){ .unix_sockets = true, .inet_sockets = true });
}

enum err sandbox_front_master(void)
{
	return enter(&(struct profile){ .unix_sockets = true, .children = true });
}

enum err sandbox_vault_master(void)
{
	return enter(&(struct profile){ .unix_sockets = true,
					.inet_sockets = true,
					.children = true });
}

enum err sandbox_jobs(void)
{
	return enter(&(struct profile){ .unix_sockets = true,
					.inet_sockets = true,
					.children = true,
					.programs = true });
}

enum err sandbox_child(void)
{
	return enter(&(struct profile){ .programs = true, .alone = true });
}

enum err sandbox_evaluator(void)
{
	scmp_filter_ctx filter = new_filter();

	if (!filter)
		return ERR_NO_MEMORY;
	bool done = allow(filter, computing, ARRAY_SIZE(computing)) && allow_own(filter) &&
		    end_at(filter, never_by_mistake, ARRAY_SIZE(never_by_mistake)) && seccomp_load(filter) == 0;
	seccomp_release(filter);
	return done ? OK : ERR_IO;
}

bool sandbox_is_possible(void)
{
	uint32_t refusal = SECCOMP_RET_ERRNO;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &refusal) == 0;
}

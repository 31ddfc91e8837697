#include "net/login_attempt.h"

#include <errno.h>
#include <linux/tcp.h> /* glibc's own lacks the count of received bytes */
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/clock.h"

enum { TICK_US = 100000, SERVER_AHEAD_MS = 200 };

/* --- beginning and end ------------------------------------------------------ */

static bool copy(struct str text, char *to, size_t size)
{
	if (text.n >= size || str_has_control(text))
		return false;
	if (text.n > 0)
		memcpy(to, text.p, text.n);
	to[text.n] = '\0';
	return true;
}

static bool copy_values(struct attempt *attempt, const struct login *login)
{
	return copy(login->host, attempt->host, sizeof attempt->host) &&
	       copy(login->user, attempt->user, sizeof attempt->user) &&
	       copy(login->database, attempt->database, sizeof attempt->database) &&
	       login->password.n <= LOGIN_PASSWORD_MAX &&
	       str_find(login->password, '\0') == login->password.n &&
	       login->ca.n <= LOGIN_CA_MAX && login->certificate.n <= LOGIN_CA_MAX &&
	       login->key.n <= LOGIN_CA_MAX && (login->certificate.n > 0) == (login->key.n > 0);
}

static enum err copy_password(struct attempt *attempt, struct str password)
{
	TRY(secret_new(password.n + 1, &attempt->password));
	if (password.n > 0)
		memcpy(attempt->password.p, password.p, password.n);
	return OK;
}

enum err attempt_ends(struct attempt *attempt, enum login_end end, const char *words)
{
	if (attempt->answer->end == LOGIN_DONE) {
		attempt->answer->end = end;
		attempt->answer->words = words;
	}
	return OK;
}

/* ERR_END: the answer is there. */
static enum err ask_guard(struct attempt *attempt, const uint16_t *usual, size_t usuals)
{
	const struct login *login = attempt->login;
	uint16_t port = login->port != 0 ? login->port : usual[0];
	bool is_usual = false;
	enum err e;

	for (size_t i = 0; i < usuals; i++)
		is_usual = is_usual || usual[i] == port;
	e = egress_allow_host(attempt->policy, login->host, port, is_usual, &attempt->target);
	switch (e) {
	case OK: return OK;
	case ERR_HOST_FORBIDDEN: (void)attempt_ends(attempt, LOGIN_FORBIDDEN, NULL); return ERR_END;
	case ERR_UPSTREAM:
		(void)attempt_ends(attempt, LOGIN_UNREACHABLE, "There is no host of that name.");
		return ERR_END;
	case ERR_UPSTREAM_TIMEOUT: (void)attempt_ends(attempt, LOGIN_TIMEOUT, NULL); return ERR_END;
	default: return e;
	}
}

static enum err set_trust(struct attempt *attempt)
{
	const struct login *login = attempt->login;

	attempt->trust = egress_trust(attempt->policy, &attempt->target);
	if (login->ca.n > 0) {
		TRY(trust_text(login->ca, &attempt->own_trust));
		attempt->trust = trust_of(&attempt->own_trust);
	}
	if (login->certificate.n == 0)
		return OK;
	TRY(trust_text(login->certificate, &attempt->certificate));
	return trust_text(login->key, &attempt->key);
}

static enum err prepare(struct attempt *attempt, const uint16_t *usual, size_t usuals)
{
	if (!copy_values(attempt, attempt->login)) {
		(void)attempt_ends(attempt, LOGIN_ODD,
				   "A value is too long or has characters that can't be sent.");
		return ERR_END;
	}
	TRY(copy_password(attempt, attempt->login->password));
	TRY(ask_guard(attempt, usual, usuals));
	return set_trust(attempt);
}

static void attempt_done(struct attempt *attempt)
{
	trust_close(&attempt->own_trust);
	trust_close(&attempt->certificate);
	trust_close(&attempt->key);
	secret_done(&attempt->password);
}

enum err attempt_run(const struct login *login, const struct egress_policy *policy, const uint16_t *usual,
		     size_t usuals, enum err (*log_in)(struct attempt *attempt), struct querying *querying,
		     struct login_answer *ret_answer)
{
	int timeout_ms = login->timeout_ms > 0 ? login->timeout_ms : egress_timeout_ms(policy);
	CLEANUP(attempt_done) struct attempt attempt = {
		.login = login,
		.policy = policy,
		.own_trust = { .fd = -1 },
		.certificate = { .fd = -1 },
		.key = { .fd = -1 },
		.ends_us = clock_monotonic_us() + timeout_ms * (int64_t)1000,
		.received_max = LOGIN_RECEIVED_MAX + (querying ? querying->query->bytes_max : 0),
		.querying = querying,
		.answer = ret_answer,
	};
	enum err e;

	*ret_answer = (struct login_answer){ .end = LOGIN_DONE };
	e = prepare(&attempt, usual, usuals);
	if (e == OK)
		e = log_in(&attempt);
	return e == ERR_END ? OK : e;
}

int64_t attempt_left_ms(const struct attempt *attempt)
{
	int64_t left_us = attempt->ends_us - clock_monotonic_us();

	return left_us > 0 ? left_us / 1000 : 0;
}

int64_t attempt_server_ms(const struct attempt *attempt)
{
	int64_t left_ms = attempt_left_ms(attempt) - SERVER_AHEAD_MS;

	return left_ms > 0 ? left_ms : 1;
}

bool attempt_wait(const struct attempt *attempt, int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left_ms = attempt_left_ms(attempt);

	while (left_ms > 0) {
		int ready = poll(&p, 1, (int)left_ms);

		if (ready > 0)
			return true;
		if (ready < 0 && errno != EINTR)
			return false;
		left_ms = attempt_left_ms(attempt);
	}
	return false;
}

/* --- the timer -------------------------------------------------------------- */

static struct {
	volatile sig_atomic_t fd, end;
	int64_t ends_us;
	size_t received_max;
	struct sigaction before;
} watch = { .fd = -1 };

static bool received_much(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t n = sizeof info;

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 &&
	       info.tcpi_bytes_received > watch.received_max;
}

/* Nothing but system calls that a signal handler may make. */
static void look(int signal_number)
{
	(void)signal_number;
	if (watch.fd < 0)
		return;
	if (clock_monotonic_us() >= watch.ends_us)
		watch.end = LOGIN_TIMEOUT;
	else if (received_much(watch.fd))
		watch.end = LOGIN_ODD;
	if (watch.end != LOGIN_DONE)
		(void)shutdown(watch.fd, SHUT_RDWR);
}

void watch_cut(enum login_end end)
{
	watch.end = end;
	(void)shutdown(watch.fd, SHUT_RDWR);
}

void watch_start(const struct attempt *attempt, int fd)
{
	const struct timeval tick = { .tv_usec = TICK_US };
	struct sigaction action = { .sa_handler = look, .sa_flags = SA_RESTART };

	sigemptyset(&action.sa_mask);
	watch.end = LOGIN_DONE;
	watch.ends_us = attempt->ends_us;
	watch.received_max = attempt->counts_itself ? SIZE_MAX : attempt->received_max;
	watch.fd = fd;
	(void)sigaction(SIGALRM, &action, &watch.before);
	(void)setitimer(ITIMER_REAL, &(struct itimerval){ tick, tick }, NULL);
}

void watch_socket(int fd) { watch.fd = fd; }

enum login_end watch_stop(void)
{
	watch.fd = -1;
	(void)setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	(void)sigaction(SIGALRM, &watch.before, NULL);
	return (enum login_end)watch.end;
}

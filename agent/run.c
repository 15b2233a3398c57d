/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs a program in processes of its own. Process 0 performs its operations and tells the others, one after
 * the other, to perform theirs; results lie in memory that all of them share, so that they are there
 * whatever becomes of who wrote them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "perform.h"
#include "run.h"

/* Bytes for the results of one program, and for what the kernel says meanwhile. */
#define ROOM (256UL << 20)
#define SAID 16384
/* Seconds that killed processes may take to be gone. */
#define GRACE 20

struct shared {
	volatile int op;	/* that is being performed */
	volatile int finished;
	volatile int error;
	volatile pid_t pids[MAX_PROCS];
	volatile int said_op;
	volatile int said_length;
	char said[SAID];
};

static struct shared *shared;
static char *room;
static size_t used;
static int kmsg = -1;
static struct actor actor;

/* Pipes over which a process is told the number of an operation, and says that it is done. */
static int orders[MAX_PROCS][2], replies[MAX_PROCS][2];

static void *shared_memory(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

int run_init(void)
{
	sigset_t child;

	shared = shared_memory(sizeof *shared);
	room = shared_memory(ROOM);
	if (shared == MAP_FAILED || room == MAP_FAILED)
		return errno;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);	/* only root may */
	return actor_make(&actor);
}

int run_room(struct program *p)
{
	int i;

	if (used > ROOM / 16) {
		madvise(room, ROOM, MADV_REMOVE);
	}
	used = 0;
	for (i = 0; i < p->ops.count; i++) {
		struct op *op = &p->ops.ops[i];
		long pages = op->f[F_PAGES] > MAX_PAGES ? 0 : op->f[F_PAGES];
		size_t size = sizeof *op->result + pages * sizeof op->result->value[0];

		if (used + size > ROOM)
			return -1;
		op->result = (struct result *)(room + used);
		op->result->ran = 0;
		used += (size + 63) & ~63UL;
	}
	return 0;
}

/* ---- what the kernel says ---- */

/* Words with which the kernel's own reports begin. */
static const char *const reports[] = {
	"WARNING:", "BUG:", "kernel BUG", "KASAN", "KCSAN", "KFENCE", "UBSAN", "Oops", "general protection",
	"possible recursive locking", "possible circular locking", "inconsistent lock state",
	"suspicious RCU usage", "possible deadlock", "self-detected stall", "detected stalls", "soft lockup",
	"hard LOCKUP", "blocked for more than", "Kernel panic", "Bad page state", "Bad rss-counter",
	"refcount_t:", "list_add corruption", "list_del corruption",
};

static int is_report(const char *text)
{
	size_t i;

	for (i = 0; i < sizeof reports / sizeof *reports; i++)
		if (strstr(text, reports[i]))
			return 1;
	return 0;
}

/* Takes what the kernel logged since it was last looked at; from a report on, all of it is kept. */
static void listen(int op)
{
	char record[2048];
	ssize_t n;

	if (kmsg < 0)
		return;
	while ((n = read(kmsg, record, sizeof record - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		char *text, *end;
		int length, said = shared->said_length;

		if (n < 0)	/* records were overwritten before they were read */
			continue;
		record[n] = 0;
		text = strchr(record, ';');
		if (!text)
			continue;
		text++;
		end = strchr(text, '\n');
		if (end)
			*end = 0;
		if (!said && !is_report(text))
			continue;
		length = strlen(text);
		if (!said)
			shared->said_op = op;
		if (said + length + 2 > SAID)
			continue;
		memcpy(shared->said + said, text, length);
		shared->said[said + length] = '\n';
		shared->said_length = said + length + 1;
	}
}

/* ---- processes ---- */

static void tell(int fd, int value)
{
	while (write(fd, &value, sizeof value) < 0 && errno == EINTR)
		;
}

static int hear(int fd, int *value)
{
	ssize_t n;

	do
		n = read(fd, value, sizeof *value);
	while (n < 0 && errno == EINTR);
	return n == sizeof *value;
}

static void serve(struct program *p, int me);

/* The operation of a process that it performs itself. */
static void perform_own(struct program *p, struct op *op)
{
	struct result *r = op->result;
	pid_t pid;

	if (op->code == OP_EXIT) {
		*r = (struct result){ .ran = 1, .done = -1, .cpages = -1, .faults = -1, .count = -1 };
		_exit(0);
	}
	if (op->code != OP_FORK) {
		perform(&actor, op);
		return;
	}
	*r = (struct result){ .done = -1, .cpages = -1, .faults = -1, .count = -1 };
	pid = fork();
	if (pid == 0) {
		perform_forked();
		serve(p, op->f[F_CHILD]);
	}
	if (pid < 0)
		r->error = errno;
	else
		shared->pids[op->f[F_CHILD]] = pid;
	r->ran = 1;
}

/* A process other than the one that leads does as it is told. It never returns. */
static void serve(struct program *p, int me)
{
	int index;

	while (hear(orders[me][0], &index)) {
		perform_own(p, &p->ops.ops[index]);
		tell(replies[me][1], index);
	}
	_exit(0);
}

/* Waits until a process is gone, its memory and files too: nobody waits for it, so that it leaves no zombie. */
static void wait_gone(pid_t pid)
{
	struct timespec pause = { 0, 100000 };

	while (!kill(pid, 0))
		nanosleep(&pause, NULL);
}

/* The process that leads. It never returns. */
static void lead(struct program *p)
{
	/* where process 0 exits before the end, another has to lead */
	int me = p->first_exits ? -1 : 0, i, error;
	sigset_t child;

	signal(SIGCHLD, SIG_IGN);	/* who ends leaves no zombie */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &child, NULL);
	for (i = 0; i < MAX_PROCS; i++)
		if (pipe2(orders[i], O_CLOEXEC) || pipe2(replies[i], O_CLOEXEC))
			goto failed;
	if (me < 0) {
		pid_t pid = fork();

		if (pid < 0)
			goto failed;
		if (pid == 0) {
			error = perform_begin(p);
			shared->error = error;
			tell(replies[0][1], -1);
			serve(p, 0);
		}
		shared->pids[0] = pid;
		if (!hear(replies[0][0], &i) || shared->error)
			_exit(1);
	} else {
		shared->error = perform_begin(p);
		if (shared->error)
			_exit(1);
	}
	for (i = 0; i < p->ops.count; i++) {
		struct op *op = &p->ops.ops[i];
		int proc = op->f[F_PROC], answer;

		shared->op = i;
		if (proc == me) {
			perform_own(p, op);
		} else {
			tell(orders[proc][1], i);
			if (op->code == OP_EXIT)
				wait_gone(shared->pids[proc]);
			else if (!hear(replies[proc][0], &answer))
				_exit(1);
		}
		listen(i);
	}
	shared->finished = 1;
	_exit(0);
failed:
	shared->error = errno;
	_exit(1);
}

/* Waits for a child until a moment, -1: for any. Returns its process, 0 when time is up, -1 where none is left. */
static pid_t wait_until(pid_t pid, const struct timespec *until)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;) {
		struct timespec now, left = { 0, 0 };
		pid_t got = waitpid(pid, NULL, WNOHANG);

		if (got != 0)
			return got;
		clock_gettime(CLOCK_MONOTONIC, &now);
		left.tv_sec = until->tv_sec - now.tv_sec;
		if (left.tv_sec <= 0)
			return 0;
		sigtimedwait(&child, NULL, &left);
	}
}

static struct timespec from_now(long seconds)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += seconds;
	return t;
}

void run_program(struct program *p, struct run *run)
{
	struct timespec until;
	pid_t pid, got;

	memset((void *)shared, 0, offsetof(struct shared, said));
	shared->op = -1;
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
	*run = (struct run){ .ending = ENDED, .said = "" };
	pid = fork();
	if (pid < 0) {
		run->ending = DIED;
		run->error = errno;
		return;
	}
	if (pid == 0) {
		setpgid(0, 0);
		lead(p);
	}
	setpgid(pid, pid);
	until = from_now(p->seconds);
	got = wait_until(pid, &until);
	if (!shared->finished) {
		run->ending = got == 0 ? HUNG : DIED;
		run->op = shared->op;
		run->error = shared->error;
	}
	/* closing a device brings back what is on it: that must be over before the next program */
	kill(-pid, SIGKILL);
	until = from_now(GRACE);
	do
		got = wait_until(-1, &until);
	while (got > 0);
	if (got == 0)
		run->ending = STUCK;
	listen(shared->op);
	shared->said[shared->said_length < SAID ? shared->said_length : SAID - 1] = 0;
	run->said = shared->said;
	run->said_op = shared->said_op;
}

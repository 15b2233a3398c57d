/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs a program in processes of its own. Process 0 performs its operations and tells the others, one after
 * the other, to perform theirs; results lie in memory that all of them share, so that they are there
 * whatever becomes of who wrote them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
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
	volatile int arrived;	/* tasks that are ready to begin */
	volatile uint64_t skew[MAX_TASKS];	/* nanoseconds for which each waits then */
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
/* Of what runs alone, and one for each task. */
static struct actor alone, actors[MAX_TASKS];
static int cpus;

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
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	return actor_make(&alone);
}

int run_room(struct program *p)
{
	int list, i, k;

	for (k = 0; k < p->tasks; k++)
		if (!actors[k].mirror && actor_make(&actors[k]))
			return -1;

	if (used > ROOM / 16)
		madvise(room, ROOM, MADV_REMOVE);
	used = 0;
	for (list = 0; list < LIST_COUNT; list++) {
		for (i = 0; i < p->lists[list].count; i++) {
			struct op *op = &p->lists[list].ops[i];
			long pages = op->f[F_PAGES] > MAX_PAGES ? 0 : op->f[F_PAGES];
			size_t size = sizeof *op->result + pages * sizeof op->result->value[0];

			if (used + size > ROOM)
				return -1;
			op->result = (struct result *)(room + used);
			used += (size + 63) & ~63UL;
		}
	}
	return 0;
}

/* Nothing has been run yet. */
static void forget_results(struct program *p)
{
	int list, i;

	for (list = 0; list < LIST_COUNT; list++)
		for (i = 0; i < p->lists[list].count; i++)
			p->lists[list].ops[i].result->ran = 0;
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
static void perform_own(struct program *p, struct actor *actor, struct op *op)
{
	struct result *r = op->result;
	pid_t pid;

	if (op->code == OP_EXIT) {
		*r = (struct result){ .ran = 1, .done = -1, .cpages = -1, .faults = -1, .count = -1 };
		_exit(0);
	}
	if (op->code != OP_FORK) {
		perform(actor, op);
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

static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % cpus, &set);
	sched_setaffinity(0, sizeof set, &set);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* A task: on a CPU of its own, as far as there are so many, and at the same time as the others. */
static void run_task(struct program *p, int k)
{
	struct list *list = &p->lists[LIST_TASK + k];
	uint64_t until;
	int i, spins = 0;

	pin_to(k);
	__atomic_add_fetch(&shared->arrived, 1, __ATOMIC_SEQ_CST);
	while (shared->arrived < p->tasks)
		if (p->tasks > cpus || ++spins > 20000)
			sched_yield();
	until = now() + shared->skew[k];
	while (now() < until)
		;
	for (i = 0; i < list->count; i++)
		perform_own(p, &actors[k], &list->ops[i]);
}

/* What a process is told: an operation of a list, or a task. */
#define ORDER_OP(list, index) ((list) << 20 | (index))
#define ORDER_TASK(k) (-1 - (k))

/* A process other than the one that leads does as it is told. It never returns. */
static void serve(struct program *p, int me)
{
	int order;

	while (hear(orders[me][0], &order)) {
		if (order < 0) {
			run_task(p, -1 - order);
			pin_to(0);
		} else {
			perform_own(p, &alone, &p->lists[order >> 20].ops[order & 0xfffff]);
		}
		tell(replies[me][1], order);
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

struct thread { struct program *p; int k; pthread_t id; };

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	run_task(t->p, t->k);
	return NULL;
}

/* All tasks at once: those of process 0 as threads, others in their own process. Returns 0 where one cannot begin. */
static int run_tasks(struct program *p)
{
	struct thread threads[MAX_TASKS];
	int k, answer;

	for (k = 0; k < p->tasks; k++) {
		const struct list *list = &p->lists[LIST_TASK + k];
		int proc = list->count ? list->ops[0].f[F_PROC] : 0;

		threads[k] = (struct thread){ .p = p, .k = k };
		if (proc)
			tell(orders[proc][1], ORDER_TASK(k));
		else if ((shared->error = pthread_create(&threads[k].id, NULL, thread_main, &threads[k])))
			return 0;
	}
	for (k = 0; k < p->tasks; k++) {
		const struct list *list = &p->lists[LIST_TASK + k];
		int proc = list->count ? list->ops[0].f[F_PROC] : 0;

		if (proc ? !hear(replies[proc][0], &answer) : pthread_join(threads[k].id, NULL))
			return 0;
	}
	return 1;
}

/* The operations of a list, one after the other. Returns 0 where a process does not answer. */
static int run_list(struct program *p, int list, int me)
{
	int i, answer;

	for (i = 0; i < p->lists[list].count; i++) {
		struct op *op = &p->lists[list].ops[i];
		int proc = op->f[F_PROC];

		shared->op = i;
		if (proc == me) {
			perform_own(p, &alone, op);
		} else {
			tell(orders[proc][1], ORDER_OP(list, i));
			if (op->code == OP_EXIT)
				wait_gone(shared->pids[proc]);
			else if (!hear(replies[proc][0], &answer))
				return 0;
		}
		listen(i);
	}
	return 1;
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
	if (p->tasks)	/* batches of the LRU are a CPU's own */
		pin_to(0);
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
	if (!run_list(p, LIST_OPS, me))
		_exit(1);
	if (p->tasks) {
		shared->op = -1;
		if (!run_tasks(p) || !run_list(p, LIST_AFTER, me))
			_exit(1);
	}
	shared->finished = 1;
	_exit(0);
failed:
	shared->error = errno;
	_exit(1);
}

/* A number from 0 up to 1. */
static double chance(void)
{
	static uint64_t state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) / (double)(1ull << 53);
}

/*
 * Tasks begin apart by anything up to the skew: in one round of two alike, in the other more often by little,
 * so that short tasks meet, too.
 */
static void choose_skew(const struct program *p)
{
	double longest = p->skew * 1000.0, most = longest;
	int k, first = chance() * p->tasks;

	if (chance() < 0.5)
		for (most = 100; most < longest && chance() < 0.9;)
			most *= 2;
	if (most > longest)
		most = longest;
	for (k = 0; k < p->tasks; k++)
		shared->skew[k] = k == first ? 0 : chance() * most;
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
	forget_results(p);
	if (p->tasks)
		choose_skew(p);
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
	listen(shared->finished ? -1 : shared->op);	/* -1: as it was taken down */
	shared->said[shared->said_length < SAID ? shared->said_length : SAID - 1] = 0;
	run->said = shared->said;
	run->said_op = shared->said_op;
}

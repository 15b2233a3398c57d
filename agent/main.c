/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs memory programs on the kernel that it finds itself on. Standard input has a program a line, as JSON;
 * standard output gets a line for each, in the same order, and one line before them that says what there is:
 *
 *   {"hello": "softleaf-agent", "protocol": 1, "kernel": "...", "cpus": 1, "devices": 4, "has": ["gup_test"], ...}
 *   {"name": "a", "results": [{"ret": "ok"}, ...]}
 *   {"name": "b", "skipped": "this kernel has no test_hmm"}
 *   {"name": "c", "results": [...], "died": 3}       a process was killed in op 3; "hung": it took too long
 *   {"name": "d", "results": [...], "kernel": {"op": 2, "lines": ["WARNING: ...", ...]}}
 *   {"name": "e", "setup": [...], "rounds": 2000, "lost": 0, "outcomes": [[1990, {"results": {"cpu": [...]}, "after": [...]}], ...]}
 *   {"round": 1000}                                  a sign of life of a program of many rounds, before its answer
 *   {"bad": "op 1: no operation is called mapp"}
 *   {"ended": "..."}                                 and nothing after it
 *
 * As process 1 it makes a kernel ready first: file systems, the modules that /softleaf.modules names, huge
 * pages, and a port to talk over, virtio-serial where there is one, else the second UART. Over the UART it
 * says {"took": N} after each 4096 bytes, as nothing else keeps input from being lost.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "perform.h"
#include "run.h"

#define PROTOCOL 1
#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"
/* Huge pages that a program finds in the pool where it does not say how many. */
#define POOL_PAGES 16

static int in = 0, out = 1;
static int counts_input;	/* says how much it has read */
static int is_init;
static unsigned has;		/* what of enum need there is */
static int device_count;

/* ---- writing ---- */

static char *text;
static size_t length, text_room;

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *format, ...)
{
	va_list args;
	int n;

	for (;;) {
		va_start(args, format);
		n = vsnprintf(text + length, text_room - length, format, args);
		va_end(args);
		if (length + n < text_room)
			break;
		text_room = 2 * text_room + n + 1;
		text = realloc(text, text_room);
		if (!text)
			abort();
	}
	length += n;
}

/* A string as JSON. */
static void put_string(const char *s, size_t n)
{
	size_t i;

	put("\"");
	for (i = 0; i < n; i++) {
		unsigned char c = s[i];

		if (c == '"' || c == '\\')
			put("\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			put("\\u%04x", c);
		else
			put("%c", c);
	}
	put("\"");
}

/* Ends the line and sends it. */
static void send_line(void)
{
	size_t sent = 0;

	put("\n");
	while (sent < length) {
		ssize_t n = write(out, text + sent, length - sent);

		if (n > 0)
			sent += n;
		else if (n < 0 && errno != EINTR && errno != EAGAIN)
			exit(1);	/* nobody listens */
	}
	length = 0;
}

/* A line beside the one that is being written. */
static void sign_of_life(long rounds)
{
	char line[64];
	int n = snprintf(line, sizeof line, "{\"round\":%ld}\n", rounds);

	if (write(out, line, n) < 0)
		exit(1);
}

static void end(const char *why)
{
	length = 0;
	put("{\"ended\":");
	put_string(why, strlen(why));
	put("}");
	send_line();
	if (is_init) {
		sleep(1);	/* until it has been read */
		reboot(RB_POWER_OFF);
	}
	exit(1);
}

/* ---- results ---- */

#define E(name) [name] = #name
static const char *const errors[] = {
	E(EPERM), E(ENOENT), E(ESRCH), E(EINTR), E(EIO), E(ENXIO), E(E2BIG), E(ENOEXEC), E(EBADF), E(ECHILD),
	E(EAGAIN), E(ENOMEM), E(EACCES), E(EFAULT), E(ENOTBLK), E(EBUSY), E(EEXIST), E(EXDEV), E(ENODEV),
	E(ENOTDIR), E(EISDIR), E(EINVAL), E(ENFILE), E(EMFILE), E(ENOTTY), E(ETXTBSY), E(EFBIG), E(ENOSPC),
	E(ESPIPE), E(EROFS), E(EMLINK), E(EPIPE), E(EDOM), E(ERANGE), E(EDEADLK), E(ENAMETOOLONG), E(ENOLCK),
	E(ENOSYS), E(ENOTEMPTY), E(ELOOP), E(ENODATA), E(ETIME), E(EOVERFLOW), E(EILSEQ), E(EUSERS),
	E(EOPNOTSUPP), E(ETIMEDOUT), E(EALREADY), E(EINPROGRESS), E(ESTALE), E(ECANCELED), E(EHWPOISON),
};
#undef E

static void put_return(const struct result *r)
{
	if (r->signal)
		put("{\"ret\":\"%s\"", r->signal == SIGSEGV ? "SEGV" : "BUS");
	else if (!r->error)
		put("{\"ret\":\"ok\"");
	else if (r->error < (int)(sizeof errors / sizeof *errors) && errors[r->error])
		put("{\"ret\":\"%s\"", errors[r->error]);
	else
		put("{\"ret\":\"E%d\"", r->error);
}

/* Values as runs: [first, count, step] of tags, [value, count] of others; the longest from the left. */
static void put_values(const struct result *r)
{
	static const char *const names[] = { "tags", "prot", "bits" };
	const uint64_t *v = r->value;
	int64_t i = 0, j;

	put(",\"%s\":[", names[r->sort]);
	for (; i < r->count; i = j) {
		int step = r->sort == SORT_TAGS && i + 1 < r->count && v[i + 1] == v[i] + 1;

		for (j = i + 1; j < r->count && v[j] == v[j - 1] + step;)
			j++;
		put("%s[%llu,%lld", i ? "," : "", (unsigned long long)v[i], (long long)(j - i));
		if (r->sort == SORT_TAGS)
			put(",%d", step);
		put("]");
	}
	put("]");
}

static void put_result(const struct result *r)
{
	put_return(r);
	if (r->done >= 0)
		put(",\"done\":%lld", (long long)r->done);
	if (r->cpages >= 0)
		put(",\"cpages\":%lld", (long long)r->cpages);
	if (r->faults >= 0)
		put(",\"faults\":%lld", (long long)r->faults);
	if (r->count >= 0)
		put_values(r);
	put("}");
}

static void put_results(const struct list *list)
{
	int i;

	put("[");
	for (i = 0; i < list->count && list->ops[i].result->ran; i++) {
		if (i)
			put(",");
		put_result(list->ops[i].result);
	}
	put("]");
}

static void put_said(const struct run *run)
{
	const char *line = run->said, *stop;
	int first = 1;

	put(",\"kernel\":{\"op\":%d,\"lines\":[", run->said_op);
	for (; (stop = strchr(line, '\n')); line = stop + 1) {
		if (!first)
			put(",");
		first = 0;
		put_string(line, stop - line);
	}
	put("]}");
}

/* ---- what this kernel has ---- */

static long read_number(const char *file)
{
	char buffer[32] = "";
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buffer, sizeof buffer - 1);
	close(fd);
	return n > 0 ? atol(buffer) : -1;
}

static int write_text(const char *file, const char *value)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	int ok;

	if (fd < 0)
		return 0;
	ok = write(fd, value, strlen(value)) >= 0;
	close(fd);
	return ok;
}

/*
 * Makes the pool as large as a program wants it. Pages that were promised to somebody who is gone are not
 * there for it: 7.3.4 forgets some when a part of a mapping moves. Returns whether it is so.
 */
static int set_pool(long pages)
{
	char value[32];
	long reserved = read_number(POOL "resv_hugepages"), wanted;

	if (reserved < 0)
		return 0;
	wanted = pages + reserved;
	if (read_number(POOL "nr_hugepages") == wanted && read_number(POOL "free_hugepages") == wanted)
		return 1;
	snprintf(value, sizeof value, "%ld", wanted);
	write_text(POOL "nr_hugepages", value);
	return read_number(POOL "nr_hugepages") == wanted && read_number(POOL "free_hugepages") == wanted;
}

static void look(void)
{
	while (device_count < MAX_DEVICES && device_there(device_count))
		device_count++;
	has = (device_count >= 2 ? NEED_DMIRROR : 0) | (device_count >= 4 ? NEED_COHERENT : 0) |
	      (uffd_there() ? NEED_UFFD : 0) | (gup_test_there() ? NEED_GUP_TEST : 0) |
	      (scan_there() ? NEED_SCAN : 0) | (soft_dirty_there() ? NEED_SOFT_DIRTY : 0) |
	      (read_number(POOL "nr_hugepages") >= 0 ? NEED_HUGETLB : 0);
}

static const struct { enum need need; const char *name, *lacks; } needs[] = {
	{ NEED_DMIRROR, "test_hmm", "this kernel has no test_hmm" },
	{ NEED_COHERENT, "coherent", "test_hmm has no device-coherent devices here" },
	{ NEED_UFFD, "userfaultfd", "this kernel has no userfaultfd, or does not allow it" },
	{ NEED_GUP_TEST, "gup_test", "this kernel has no gup_test" },
	{ NEED_HUGETLB, "hugetlb", "this kernel has no huge pages of 2 MiB to map" },
	{ NEED_SCAN, "pagemap_scan", "this kernel has no PAGEMAP_SCAN" },
	{ NEED_SOFT_DIRTY, "soft_dirty", "this kernel has no soft-dirty bits" },
	{ NEED_GUP_HOLD, NULL, "no driver of the kernel holds pages but for long" },
	{ NEED_ONE_PROCESS, NULL, "one of its tasks is of several processes" },
	{ NEED_NO_EXIT, NULL, "a process exits while others run" },
	{ NEED_NOTHING_THERE_IS, NULL, "no system call is an OOM reaper" },
};
#define NEEDS (sizeof needs / sizeof *needs)

static void hello(void)
{
	struct utsname name;
	char thp[64] = "", *chosen;
	int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
	const char *between = "";
	size_t i;

	uname(&name);
	put("{\"hello\":\"softleaf-agent\",\"protocol\":%d,\"kernel\":", PROTOCOL);
	put_string(name.release, strlen(name.release));
	put(",\"version\":");
	put_string(name.version, strlen(name.version));
	put(",\"machine\":");
	put_string(name.machine, strlen(name.machine));
	put(",\"cpus\":%ld,\"devices\":%d,\"has\":[", sysconf(_SC_NPROCESSORS_ONLN), device_count);
	for (i = 0; i < NEEDS; i++) {
		if (!needs[i].name || !(has & needs[i].need))
			continue;
		put("%s\"%s\"", between, needs[i].name);
		between = ",";
	}
	put("]");
	if (fd >= 0) {
		if (read(fd, thp, sizeof thp - 1) > 0 && (chosen = strchr(thp, '[')) && strchr(chosen, ']')) {
			*strchr(chosen, ']') = 0;
			put(",\"thp\":\"%s\"", chosen + 1);
		}
		close(fd);
	}
	put("}");
	send_line();
}

/* ---- rounds of a concurrent program ---- */

/* What some rounds came to. */
struct outcome { uint64_t hash; long count; char *text; };

#define MAX_OUTCOMES 4096

static void put_outcome(const struct program *p)
{
	int k;

	put("{\"results\":{");
	for (k = 0; k < p->tasks; k++) {
		put("%s%s:", k ? "," : "", p->task_names[k]);
		put_results(&p->lists[LIST_TASK + k]);
	}
	put("},\"after\":");
	put_results(&p->lists[LIST_AFTER]);
	put("}");
}

static uint64_t hash_of(const char *s)
{
	uint64_t hash = 14695981039346656037ull;

	for (; *s; s++)
		hash = (hash ^ (unsigned char)*s) * 1099511628211ull;
	return hash;
}

/* Runs a program many times and says how often it came to what; a sign of life each second. */
static void run_rounds(struct program *p, struct run *run)
{
	static struct outcome outcomes[MAX_OUTCOMES];
	size_t head = length;
	int count = 0, i;
	long round, lost = 0;
	time_t last = time(NULL);

	for (round = 0; round < p->rounds; round++) {
		uint64_t hash;

		run_program(p, run);
		if (run->ending != ENDED || *run->said)
			break;
		if (round == 0) {
			put(",\"setup\":");
			put_results(&p->lists[LIST_OPS]);
			head = length;
		}
		put_outcome(p);
		hash = hash_of(text + head);
		for (i = 0; i < count && (outcomes[i].hash != hash || strcmp(outcomes[i].text, text + head));)
			i++;
		if (i == count && count < MAX_OUTCOMES)
			outcomes[count++] = (struct outcome){ hash, 0, strdup(text + head) };
		if (i < count)
			outcomes[i].count++;
		else
			lost++;
		length = head;
		if (time(NULL) != last) {
			last = time(NULL);
			sign_of_life(round + 1);
		}
	}
	put(",\"rounds\":%ld,\"lost\":%ld,\"outcomes\":[", round, lost);
	for (i = 0; i < count; i++) {
		put("%s[%ld,%s]", i ? "," : "", outcomes[i].count, outcomes[i].text);
		free(outcomes[i].text);
	}
	put("]");
}

/* ---- programs ---- */

static void answer(const char *line)
{
	struct program p;
	struct run run;
	const char *bad = program_read(&p, line);
	size_t i;

	if (bad) {
		put("{\"bad\":");
		put_string(bad, strlen(bad));
		put("}");
		goto done;
	}
	put("{\"name\":%s", p.name);
	for (i = 0; i < NEEDS; i++) {
		if (!(p.used & needs[i].need & ~has))
			continue;
		put(",\"skipped\":\"%s\"}", needs[i].lacks);
		goto done;
	}
	if (p.used & NEED_HUGETLB && !set_pool(p.hugetlb_pages >= 0 ? p.hugetlb_pages : POOL_PAGES)) {
		put(",\"skipped\":\"the pool cannot have %ld huge pages for it\"}",
		    p.hugetlb_pages >= 0 ? p.hugetlb_pages : POOL_PAGES);
		goto done;
	}
	if (run_room(&p)) {
		put(",\"skipped\":\"its results are too large for the agent\"}");
		goto done;
	}
	if (p.tasks) {
		run_rounds(&p, &run);
	} else {
		run_program(&p, &run);
		put(",\"results\":");
		put_results(&p.lists[LIST_OPS]);
	}
	if (run.ending != ENDED)
		put(",\"%s\":%d", run.ending == DIED ? "died" : "hung", run.op);
	if (run.error)
		put(",\"error\":\"%s\"", strerror(run.error));
	if (*run.said)
		put_said(&run);
	put("}");
	if (run.ending == STUCK) {
		send_line();
		end("a process cannot be killed");
	}
done:
	send_line();
	program_free(&p);
}

/* Reads lines and answers each. */
static void serve_lines(void)
{
	size_t size = 1 << 16, have = 0, start, said = 0, took = 0;
	char *buffer = malloc(size), *stop;
	ssize_t n;

	if (!buffer)
		end("no memory");
	for (;;) {
		if (have + 1 >= size) {
			buffer = realloc(buffer, size *= 2);
			if (!buffer)
				end("no memory");
		}
		n = read(in, buffer + have, size - have - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		took += n;
		if (counts_input && took - said >= 4096) {
			said = took;
			put("{\"took\":%zu}", took);
			send_line();
		}
		have += n;
		start = 0;
		while ((stop = memchr(buffer + start, '\n', have - start))) {
			*stop = 0;
			if (buffer[start])
				answer(buffer + start);
			start = stop - buffer + 1;
		}
		memmove(buffer, buffer + start, have -= start);
	}
	buffer[have] = 0;
	if (have)
		answer(buffer);
}

/* ---- as process 1 ---- */

/* A module with its parameters; what goes wrong is told on the console. */
static void load_module(char *line)
{
	char *parameters = strchr(line, ' ');
	int fd;

	if (parameters)
		*parameters++ = 0;
	fd = open(line, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, parameters ? parameters : "", 0))
		fprintf(stderr, "softleaf-agent: %s: %s\n", line, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void load_modules(void)
{
	FILE *list = fopen("/softleaf.modules", "r");
	char line[512];

	if (!list)
		return;
	while (fgets(line, sizeof line, list)) {
		line[strcspn(line, "\n")] = 0;
		if (*line)
			load_module(line);
	}
	fclose(list);
}

/* Opens the virtio-serial port that is called softleaf, if it comes up within two seconds. */
static int open_virtio(void)
{
	struct timespec pause = { 0, 10000000 };
	int tries;

	for (tries = 0; tries < 200; tries++) {
		DIR *ports = opendir("/sys/class/virtio-ports");
		struct dirent *port;

		if (!ports)	/* there is no such driver */
			return -1;
		while ((port = readdir(ports))) {
			char path[300], name[32] = "";
			int fd;

			snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", port->d_name);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			if (read(fd, name, sizeof name - 1) < 0)
				*name = 0;
			close(fd);
			if (strcmp(name, "softleaf\n"))
				continue;
			snprintf(path, sizeof path, "/dev/%s", port->d_name);
			closedir(ports);
			return open(path, O_RDWR | O_CLOEXEC);
		}
		closedir(ports);
		nanosleep(&pause, NULL);
	}
	return -1;
}

static int open_uart(void)
{
	struct termios settings;
	int fd = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || tcgetattr(fd, &settings))
		return -1;
	cfmakeraw(&settings);
	cfsetspeed(&settings, B115200);
	settings.c_cflag |= CLOCAL | CREAD;
	tcsetattr(fd, TCSANOW, &settings);
	counts_input = 1;
	return fd;
}

static void become_init(void)
{
	is_init = 1;
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	/* huge pages where a program asks for them, and by nobody else */
	write_text("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
	write_text("/sys/kernel/mm/transparent_hugepage/khugepaged/defrag", "0");
	write_text("/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", "100000000");
	load_modules();
	in = out = open_virtio();
	if (in < 0)
		in = out = open_uart();
	if (in < 0) {
		fprintf(stderr, "softleaf-agent: there is neither a virtio-serial port nor a second UART\n");
		reboot(RB_POWER_OFF);
	}
}

int main(void)
{
	int error;

	signal(SIGPIPE, SIG_IGN);
	text = malloc(text_room = 1 << 16);
	if (!text)
		return 1;
	if (getpid() == 1)
		become_init();
	perform_init();
	error = run_init();
	if (error)
		end(strerror(error));
	look();
	hello();
	serve_lines();
	if (is_init)
		reboot(RB_POWER_OFF);
	return 0;
}

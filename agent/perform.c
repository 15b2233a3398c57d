/* SPDX-License-Identifier: GPL-2.0-only */
/* What each operation does: system calls, and requests to the kernel's test drivers. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "perform.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* ---- interfaces that a C library may be too old for ---- */

/* lib/test_hmm_uapi.h */
struct dmirror_cmd { uint64_t addr, ptr, npages, cpages, faults; };
enum dmirror_request {
	DM_READ, DM_WRITE, DM_MIGRATE_TO_DEV, DM_MIGRATE_TO_SYS, DM_SNAPSHOT, DM_EXCLUSIVE, DM_CHECK_EXCLUSIVE,
	DM_RELEASE, DM_FLAGS, DM_READ_UNLOCKED
};
#define DM_FLAG_FAIL_ALLOC 1

/* mm/gup_test.h */
struct gup_longterm { uint64_t addr, size; uint32_t flags; };
#define GUP_LONGTERM_START _IOW('g', 7, struct gup_longterm)
#define GUP_LONGTERM_STOP _IO('g', 8)
#define GUP_LONGTERM_WRITE 1
#define GUP_LONGTERM_FAST 2

/* include/uapi/linux/fs.h */
struct scan_region { uint64_t start, end, categories; };
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted, category_mask,
		category_anyof_mask, return_mask;
};
#define SCAN_REQUEST _IOWR('f', 16, struct scan_arg)
#define SCAN_PRESENT (1 << 3)
#define SCAN_SWAPPED (1 << 4)
#define SCAN_PFNZERO (1 << 5)
#define SCAN_HUGE (1 << 6)

/* First word of a file's page `i`. */
#define FILE_WORD 0xf000

/* ---- what a process has ---- */

/* A file that is mapped, or was: found by where it is. */
struct segment {
	long first, pages;	/* in pages of the address space */
	int fd;
	long index;		/* page of the file */
};

static int devices[MAX_DEVICES];
static int pipes[MAX_PINS][2];
static int holds[MAX_PINS];	/* open gup_test, with pages */
static int uffd;
static int stop_event;		/* tells a monitor to stop */
static int keeps_files;
static struct segment *segments;
static int segment_count, segment_room;

static uint64_t tag_word(long tag, long i) { return ((uint64_t)tag << 16) + i; }
static unsigned long vpn_of(long buf, long page) { return (BASE + buf * SPACING) / PAGE + page; }
static char *address(const struct op *op) { return (char *)(vpn_of(op->f[F_BUF], op->f[F_PAGE]) * PAGE); }
static size_t bytes(const struct op *op) { return op->f[F_PAGES] * PAGE; }
static uint64_t *word(char *page) { return (uint64_t *)page; }

int actor_make(struct actor *actor)
{
	actor->mirror = mmap(NULL, MAX_PAGES * PAGE, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return actor->mirror == MAP_FAILED ? errno : 0;
}

static int open_device(int dev)
{
	char name[40];

	snprintf(name, sizeof name, "/dev/hmm_dmirror%d", dev);
	return open(name, O_RDWR | O_CLOEXEC);
}

static int open_gup_test(void)
{
	return open("/sys/kernel/debug/gup_test", O_RDWR | O_CLOEXEC);
}

static int open_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int there(int fd)
{
	if (fd < 0)
		return 0;
	close(fd);
	return 1;
}

int device_there(int dev) { return there(open_device(dev)); }
int uffd_there(void) { return there(open_uffd()); }
int gup_test_there(void) { return there(open_gup_test()); }

/* ---- signals of accesses ---- */

static __thread sigjmp_buf back;
static __thread volatile sig_atomic_t guarded, seen;

static void on_signal(int signal_number)
{
	if (!guarded) {		/* a mistake of the agent's own: it ends as any program would */
		signal(signal_number, SIG_DFL);
		raise(signal_number);
		return;
	}
	seen = signal_number;
	siglongjmp(back, 1);
}

void perform_init(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_NODEFER };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	memset(devices, -1, sizeof devices);
	memset(pipes, -1, sizeof pipes);
	memset(holds, -1, sizeof holds);
	uffd = -1;
	stop_event = -1;
}

int perform_begin(const struct program *p)
{
	int dev;

	keeps_files = p->keeps_files;
	/* an open device that nobody uses shows nowhere, and takes its time to be closed */
	for (dev = 0; dev < MAX_DEVICES; dev++) {
		if (!(p->devices & 1u << dev))
			continue;
		devices[dev] = open_device(dev);
		if (devices[dev] < 0)
			return errno;
	}
	if (p->used & NEED_UFFD) {
		stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (stop_event < 0)
			return errno;
	}
	return 0;
}

void perform_forked(void)
{
	int i;

	/* what was taken is its parent's; the driver lets go with the last who has the file open */
	for (i = 0; i < MAX_PINS; i++) {
		if (holds[i] >= 0)
			close(holds[i]);
		holds[i] = -1;
	}
	if (uffd >= 0)
		close(uffd);
	uffd = -1;
	if (stop_event >= 0) {
		close(stop_event);
		stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
}

/* ---- files by where they are mapped ---- */

static void add_segment(long first, long pages, int fd, long index)
{
	if (segment_count == segment_room) {
		segment_room = segment_room ? 2 * segment_room : 16;
		segments = realloc(segments, segment_room * sizeof *segments);
		if (!segments)
			abort();
	}
	segments[segment_count++] = (struct segment){ first, pages, fd, index };
}

/* Nothing is known of a range any more. */
static void forget(long first, long pages)
{
	int i, count = segment_count;

	for (i = 0; i < count; i++) {
		struct segment s = segments[i];
		long end = first + pages, its_end = s.first + s.pages;

		if (s.first >= end || its_end <= first)
			continue;
		segments[i].pages = s.first < first ? first - s.first : 0;
		if (its_end > end)
			add_segment(end, its_end - end, s.fd, s.index + end - s.first);
	}
}

static void move_files(long from, long pages, long to, int keep)
{
	int i, count;

	if (!keeps_files)
		return;
	forget(to, pages);
	count = segment_count;
	for (i = 0; i < count; i++) {
		struct segment s = segments[i];
		long first = s.first > from ? s.first : from;
		long end = s.first + s.pages < from + pages ? s.first + s.pages : from + pages;

		if (first < end)
			add_segment(to + first - from, end - first, s.fd, s.index + first - s.first);
	}
	if (!keep)
		forget(from, pages);
}

static const struct segment *segment_of(long vpn)
{
	int i;

	for (i = 0; i < segment_count; i++)
		if (vpn >= segments[i].first && vpn < segments[i].first + segments[i].pages)
			return &segments[i];
	return NULL;
}

/* ---- results ---- */

static void returned(struct result *r, int error) { r->error = error; }
static void returned_call(struct result *r, int ret) { r->error = ret < 0 ? errno : 0; }

static void values(struct result *r, enum sort sort, long count)
{
	r->sort = sort;
	r->count = count;
}

static void take_tags(struct actor *actor, struct result *r, long pages)
{
	long i;

	for (i = 0; i < pages; i++)
		r->value[i] = *word(actor->mirror + i * PAGE);
	values(r, SORT_TAGS, pages);
}

static void no_tags(struct actor *actor, long pages)
{
	long i;

	for (i = 0; i < pages; i++)
		*word(actor->mirror + i * PAGE) = 0;
}

static void put_tags(struct actor *actor, long pages, long tag)
{
	long i;

	memset(actor->mirror, 0, pages * PAGE);
	for (i = 0; i < pages; i++)
		*word(actor->mirror + i * PAGE) = tag_word(tag, i);
}

/* ---- operations ---- */

static int new_file(long pages)
{
	int fd = memfd_create("softleaf", MFD_CLOEXEC);
	long i;

	if (fd < 0)
		return -1;
	if (ftruncate(fd, pages * PAGE))
		goto bad;
	for (i = 0; i < pages; i++) {
		uint64_t first = FILE_WORD + i;

		if (pwrite(fd, &first, sizeof first, i * PAGE) != sizeof first)
			goto bad;
	}
	return fd;
bad:
	close(fd);
	return -1;
}

static void do_mmap(struct op *op)
{
	int flags = MAP_FIXED_NOREPLACE, fd = -1, keep = 0;
	void *got;

	switch (op->f[F_KIND]) {
	case KIND_ANON: flags |= MAP_PRIVATE | MAP_ANONYMOUS; break;
	case KIND_ANON_SHARED: flags |= MAP_SHARED | MAP_ANONYMOUS; break;
	case KIND_HUGETLB: flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB; break;
	case KIND_DRIVER: flags |= MAP_PRIVATE; fd = devices[0]; keep = 1; break;
	default:
		flags |= op->f[F_KIND] == KIND_FILE_PRIVATE ? MAP_PRIVATE : MAP_SHARED;
		fd = new_file(op->f[F_PAGES]);
		if (fd < 0)
			return returned(op->result, errno);
	}
	got = mmap(address(op), bytes(op), op->f[F_PROT], flags, fd, 0);
	returned(op->result, got == MAP_FAILED ? errno : 0);
	if (fd < 0 || keep)
		return;
	if (keeps_files && got != MAP_FAILED)
		add_segment(vpn_of(op->f[F_BUF], op->f[F_PAGE]), op->f[F_PAGES], fd, 0);
	else
		close(fd);
}

static void do_mremap(struct op *op, int keep)
{
	char *to = (char *)(vpn_of(op->f[F_TO_BUF], op->f[F_TO_PAGE]) * PAGE);
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (keep ? MREMAP_DONTUNMAP : 0);
	void *got = mremap(address(op), bytes(op), bytes(op), flags, to);

	returned(op->result, got == MAP_FAILED ? errno : 0);
	if (got != MAP_FAILED)
		move_files(vpn_of(op->f[F_BUF], op->f[F_PAGE]), op->f[F_PAGES],
			   vpn_of(op->f[F_TO_BUF], op->f[F_TO_PAGE]), keep);
}

static void do_access(struct op *op, int write)
{
	struct result *r = op->result;
	char *start = address(op);
	volatile long i = 0;

	seen = 0;
	guarded = 1;
	if (!sigsetjmp(back, 1)) {
		for (; i < op->f[F_PAGES]; i++) {
			volatile uint64_t *w = word(start + i * PAGE);

			if (write)
				*w = tag_word(op->f[F_TAG], i);
			else
				r->value[i] = *w;
		}
	}
	guarded = 0;
	r->signal = seen;
	r->done = i;
	if (!write)
		values(r, SORT_TAGS, i);
}

static void do_file(struct op *op, int write)
{
	static __thread char page[PAGE];
	struct result *r = op->result;
	long i;

	for (i = 0; i < op->f[F_PAGES]; i++) {
		const struct segment *s = segment_of(vpn_of(op->f[F_BUF], op->f[F_PAGE]) + i);
		off_t offset;

		if (!s)
			return returned(r, EBADF);
		offset = (s->index + vpn_of(op->f[F_BUF], op->f[F_PAGE]) + i - s->first) * PAGE;
		memset(page, 0, sizeof page);
		*word(page) = tag_word(op->f[F_TAG], i);
		if ((write ? pwrite(s->fd, page, PAGE, offset) : pread(s->fd, page, PAGE, offset)) < 0)
			return returned(r, errno);
		if (!write)
			r->value[i] = *word(page);
	}
	if (!write)
		values(r, SORT_TAGS, i);
}

/* A request to the test driver. Returns an errno. */
static int request(struct actor *actor, struct op *op, enum dmirror_request nr, char *start, long pages,
		   struct dmirror_cmd *cmd)
{
	int fd = devices[op->f[F_DEV]];

	*cmd = (struct dmirror_cmd){ .addr = (uint64_t)start, .ptr = (uint64_t)actor->mirror, .npages = pages };
	if (fd < 0)
		return EBADF;
	return ioctl(fd, _IOWR('H', nr, struct dmirror_cmd), cmd) ? errno : 0;
}

/* A request about the operation's range, and what of its answer is told. */
static void do_device(struct actor *actor, struct op *op, enum dmirror_request nr, int faults, int tags)
{
	struct result *r = op->result;
	struct dmirror_cmd cmd;

	if (tags)
		no_tags(actor, op->f[F_PAGES]);
	returned(r, request(actor, op, nr, address(op), op->f[F_PAGES], &cmd));
	if (r->error)
		return;
	r->cpages = cmd.cpages;
	if (faults)
		r->faults = cmd.faults;
	if (tags)
		take_tags(actor, r, op->f[F_PAGES]);
}

/* In two passes, as a driver must today: fault a part, then migrate it. */
static void do_fault_migrate(struct actor *actor, struct op *op)
{
	struct result *r = op->result;
	struct dmirror_cmd cmd;
	long done, part, i;
	uint64_t migrated = 0;

	for (done = 0; done < op->f[F_PAGES]; done += part) {
		char *start = address(op) + done * PAGE;
		int error;

		part = op->f[F_PAGES] - done < 512 ? op->f[F_PAGES] - done : 512;
		error = request(actor, op, DM_READ, start, part, &cmd);
		if (!error && op->f[F_WRITE])		/* the same data back */
			error = request(actor, op, DM_WRITE, start, part, &cmd);
		if (!error) {
			no_tags(actor, part);
			error = request(actor, op, DM_MIGRATE_TO_DEV, start, part, &cmd);
		}
		if (error)
			return returned(r, error);
		migrated += cmd.cpages;
		for (i = 0; i < part; i++)
			r->value[done + i] = *word(actor->mirror + i * PAGE);
	}
	r->cpages = migrated;
	values(r, SORT_TAGS, op->f[F_PAGES]);
}

static void do_snapshot(struct actor *actor, struct op *op)
{
	struct result *r = op->result;
	struct dmirror_cmd cmd;
	long i;

	memset(actor->mirror, 0xee, op->f[F_PAGES]);	/* no byte that the driver gives */
	returned(r, request(actor, op, DM_SNAPSHOT, address(op), op->f[F_PAGES], &cmd));
	if (r->error)
		return;
	r->cpages = cmd.cpages;
	for (i = 0; i < op->f[F_PAGES]; i++)
		r->value[i] = (unsigned char)actor->mirror[i];
	values(r, SORT_PROT, op->f[F_PAGES]);
}

/* The driver evicts all when a file of the device is closed. */
static int evict(int dev)
{
	int fd;

	if (devices[dev] < 0)
		return EBADF;
	fd = open_device(dev);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int open_anew(int dev)
{
	int fd = open_device(dev);

	if (fd < 0)
		return errno;
	devices[dev] = fd;	/* what was open stays so */
	return 0;
}

static int close_device(int dev)
{
	if (devices[dev] < 0)
		return EBADF;
	close(devices[dev]);
	devices[dev] = -1;
	return 0;
}

static void do_pagemap(struct op *op)
{
	struct result *r = op->result;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t size = op->f[F_PAGES] * sizeof(uint64_t);
	long i;

	if (fd < 0)
		return returned(r, errno);
	memset(r->value, 0, size);
	if (pread(fd, r->value, size, (off_t)((uint64_t)address(op) / PAGE * sizeof(uint64_t))) < 0)
		returned(r, errno);
	close(fd);
	if (r->error)
		return;
	for (i = 0; i < op->f[F_PAGES]; i++) {
		uint64_t v = r->value[i];	/* Documentation/admin-guide/mm/pagemap.rst */

		r->value[i] = (v >> 63 & 1) | (v >> 62 & 1) << 1 | (v >> 61 & 1) << 2 | (v >> 55 & 1) << 3 |
			      (v >> 56 & 1) << 4;
	}
	values(r, SORT_BITS, op->f[F_PAGES]);
}

static void do_scan(struct op *op)
{
	static __thread struct scan_region regions[MAX_PAGES];
	struct result *r = op->result;
	struct scan_arg arg = { .size = sizeof arg, .start = (uint64_t)address(op),
		.end = (uint64_t)address(op) + bytes(op), .vec = (uint64_t)regions, .vec_len = MAX_PAGES,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = SCAN_PRESENT | SCAN_SWAPPED | SCAN_PFNZERO | SCAN_HUGE };
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	long count, i;
	uint64_t at;

	if (fd < 0)
		return returned(r, errno);
	count = ioctl(fd, SCAN_REQUEST, &arg);
	returned_call(r, count);
	close(fd);
	if (r->error)
		return;
	memset(r->value, 0, op->f[F_PAGES] * sizeof(uint64_t));
	for (i = 0; i < count; i++) {
		uint64_t c = regions[i].categories;
		uint64_t v = (c & SCAN_PRESENT ? 1 : 0) | (c & SCAN_SWAPPED ? 2 : 0) |
			     (c & SCAN_PFNZERO ? 4 : 0) | (c & SCAN_HUGE ? 8 : 0);

		for (at = regions[i].start; at < regions[i].end; at += PAGE)
			r->value[(at - arg.start) / PAGE] = v;
	}
	values(r, SORT_BITS, op->f[F_PAGES]);
}

static int clear_soft_dirty(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC), error;

	if (fd < 0)
		return errno;
	error = write(fd, "4", 1) < 0 ? errno : 0;
	close(fd);
	return error;
}

/* A pipe holds a reference on a page that was put into it. */
static void do_pin(struct op *op)
{
	struct iovec page = { address(op), PAGE };
	int *ends = pipes[op->f[F_ID]];

	if (pipe2(ends, O_CLOEXEC))
		return returned(op->result, errno);
	returned_call(op->result, vmsplice(ends[1], &page, 1, 0));
}

/*
 * gup_test takes all pages or none: where it fails the longest beginning that can be had is taken, as one
 * call of pin_user_pages() would have.
 */
static void do_gup(struct op *op)
{
	struct result *r = op->result;
	struct gup_longterm arg = { .addr = (uint64_t)address(op),
		.flags = (op->f[F_WRITE] ? GUP_LONGTERM_WRITE : 0) |
			 (op->f[F_HOW] == HOW_PIN_FAST_LONGTERM ? GUP_LONGTERM_FAST : 0) };
	int fd = open_gup_test(), error = 0;
	long pages;

	if (fd < 0)
		return returned(r, errno);
	for (pages = op->f[F_PAGES]; pages > 0; pages--) {
		arg.size = pages * PAGE;
		error = ioctl(fd, GUP_LONGTERM_START, &arg) ? errno : 0;
		if (!error)
			break;
	}
	if (error) {
		close(fd);
		return returned(r, error);
	}
	holds[op->f[F_ID]] = fd;
	r->done = pages;
}

static void do_unpin(long id)
{
	int *ends = pipes[id];

	if (holds[id] >= 0) {
		ioctl(holds[id], GUP_LONGTERM_STOP);
		close(holds[id]);
		holds[id] = -1;
	}
	if (ends[0] >= 0) {
		close(ends[0]);
		close(ends[1]);
		ends[0] = ends[1] = -1;
	}
}

/* ---- userfaultfd ---- */

static int own_uffd(void)
{
	if (uffd < 0)
		uffd = open_uffd();
	return uffd;
}

static int uffd_register(struct op *op, int on)
{
	struct uffdio_range range = { (uint64_t)address(op), bytes(op) };
	struct uffdio_register reg = { .range = range, .mode = UFFDIO_REGISTER_MODE_MISSING };

	if (own_uffd() < 0)
		return errno;
	return (on ? ioctl(uffd, UFFDIO_REGISTER, &reg) : ioctl(uffd, UFFDIO_UNREGISTER, &range)) ? errno : 0;
}

/* Gives one page. Returns an errno. */
static int give_page(uint64_t to, uint64_t first)
{
	static __thread char page[PAGE] __attribute__((aligned(4096)));
	struct uffdio_copy copy = { .dst = to, .src = (uint64_t)page, .len = PAGE };

	memset(page, 0, sizeof page);
	*word(page) = first;
	return ioctl(uffd, UFFDIO_COPY, &copy) ? errno : 0;
}

static void do_uffd_copy(struct op *op)
{
	struct result *r = op->result;
	long i;

	r->done = 0;
	if (own_uffd() < 0)
		return returned(r, errno);
	for (i = 0; i < op->f[F_PAGES] && !r->error; i++) {
		returned(r, give_page((uint64_t)address(op) + i * PAGE, tag_word(op->f[F_TAG], i)));
		if (!r->error)
			r->done = i + 1;
	}
}

static void do_uffd_serve(struct op *op)
{
	struct result *r = op->result;

	r->done = 0;
	if (own_uffd() < 0)
		return returned(r, errno);
	while (r->done < op->f[F_FAULTS]) {
		struct pollfd polled[2] = { { uffd, POLLIN, 0 }, { stop_event, POLLIN, 0 } };
		struct uffd_msg message;
		uint64_t at;
		int error;

		if (poll(polled, 2, -1) < 0)
			return returned(r, errno);
		if (polled[1].revents)		/* it comes before any fault, and for good */
			return;
		if (read(uffd, &message, sizeof message) != sizeof message ||
		    message.event != UFFD_EVENT_PAGEFAULT)
			continue;
		at = message.arg.pagefault.address & ~(PAGE - 1);
		do
			error = give_page(at, tag_word(op->f[F_TAG], (at - BASE) % SPACING / PAGE));
		while (error == EAGAIN || error == ENOMEM);
		if (error) {
			struct uffdio_range range = { at, PAGE };

			ioctl(uffd, UFFDIO_WAKE, &range);
		}
		r->done++;
	}
}

static int uffd_stop(void)
{
	uint64_t one = 1;

	return write(stop_event, &one, sizeof one) < 0 ? errno : 0;
}

int scan_there(void)
{
	struct scan_arg arg = { .size = sizeof arg, .category_anyof_mask = SCAN_PRESENT };
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return 0;
	ret = ioctl(fd, SCAN_REQUEST, &arg);
	close(fd);
	return ret >= 0;
}

int soft_dirty_there(void)
{
	uint64_t entry = 0;
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), dirty = 0;

	/* a page that was just written is soft-dirty where there is such a thing */
	if (fd >= 0 && page != MAP_FAILED) {
		*(volatile char *)page = 1;
		if (pread(fd, &entry, sizeof entry, (off_t)((uint64_t)page / PAGE * sizeof entry)) == sizeof entry)
			dirty = entry >> 55 & 1;
	}
	if (fd >= 0)
		close(fd);
	if (page != MAP_FAILED)
		munmap(page, PAGE);
	return dirty;
}

void perform(struct actor *actor, struct op *op)
{
	struct result *r = op->result;
	struct dmirror_cmd cmd;
	long dev = op->f[F_DEV];

	*r = (struct result){ .done = -1, .cpages = -1, .faults = -1, .count = -1 };
	switch (op->code) {
	case OP_MMAP: do_mmap(op); break;
	case OP_MUNMAP:
		returned_call(r, munmap(address(op), bytes(op)));
		if (!r->error && keeps_files)
			forget(vpn_of(op->f[F_BUF], op->f[F_PAGE]), op->f[F_PAGES]);
		break;
	case OP_MPROTECT: returned_call(r, mprotect(address(op), bytes(op), op->f[F_PROT])); break;
	case OP_MADVISE: returned_call(r, madvise(address(op), bytes(op), op->f[F_ADVICE])); break;
	case OP_MREMAP: do_mremap(op, 0); break;
	case OP_MREMAP_DONTUNMAP: do_mremap(op, 1); break;
	case OP_CPU_WRITE: do_access(op, 1); break;
	case OP_CPU_READ: do_access(op, 0); break;
	case OP_FILE_READ: do_file(op, 0); break;
	case OP_FILE_WRITE: do_file(op, 1); break;
	case OP_DEV_READ: do_device(actor, op, DM_READ, 1, 1); break;
	case OP_DEV_READ_UNLOCKED: do_device(actor, op, DM_READ_UNLOCKED, 1, 1); break;
	case OP_DEV_WRITE:
		put_tags(actor, op->f[F_PAGES], op->f[F_TAG]);
		do_device(actor, op, DM_WRITE, 1, 0);
		break;
	case OP_MIGRATE_TO_DEV: do_device(actor, op, DM_MIGRATE_TO_DEV, 1, 1); break;
	case OP_MIGRATE_TO_SYS: do_device(actor, op, DM_MIGRATE_TO_SYS, 0, 0); break;
	case OP_FAULT_MIGRATE_TO_DEV: do_fault_migrate(actor, op); break;
	case OP_EXCLUSIVE: do_device(actor, op, DM_EXCLUSIVE, 1, 1); break;
	case OP_CHECK_EXCLUSIVE:
		returned(r, request(actor, op, DM_CHECK_EXCLUSIVE, address(op), op->f[F_PAGES], &cmd));
		break;
	/* the flags are where other requests have the number of pages */
	case OP_FAIL_ALLOC: returned(r, request(actor, op, DM_FLAGS, (char *)BASE, DM_FLAG_FAIL_ALLOC, &cmd)); break;
	case OP_SNAPSHOT: do_snapshot(actor, op); break;
	case OP_EVICT: returned(r, evict(dev)); break;
	case OP_RELEASE: returned(r, request(actor, op, DM_RELEASE, (char *)BASE, 1, &cmd)); break;
	case OP_OPEN: returned(r, open_anew(dev)); break;
	case OP_CLOSE: returned(r, close_device(dev)); break;
	case OP_PAGEMAP: do_pagemap(op); break;
	case OP_SCAN: do_scan(op); break;
	case OP_CLEAR_SOFT_DIRTY: returned(r, clear_soft_dirty()); break;
	case OP_PIN: do_pin(op); break;
	case OP_GUP: do_gup(op); break;
	case OP_UNPIN: do_unpin(op->f[F_ID]); break;
	case OP_UFFD_REGISTER: returned(r, uffd_register(op, 1)); break;
	case OP_UFFD_UNREGISTER: returned(r, uffd_register(op, 0)); break;
	case OP_UFFD_COPY: do_uffd_copy(op); break;
	case OP_UFFD_SERVE: do_uffd_serve(op); break;
	case OP_UFFD_STOP: returned(r, uffd_stop()); break;
	default: returned(r, ENOSYS); break;
	}
	r->ran = 1;
}

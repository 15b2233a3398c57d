/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory programs as the agent holds them; docs/programs.md of Softleaf has the format. */
#ifndef AGENT_PROGRAM_H
#define AGENT_PROGRAM_H

#include <stdint.h>

#define MAX_PAGES 4096		/* that one operation may look at one by one */
#define MAX_PROCS 16
#define MAX_DEVICES 4
#define MAX_PINS 8
#define MAX_TASKS 16
/* Bytes of a name as JSON, with its quotes. */
#define NAME_ROOM 1400

enum op_code {
	OP_MMAP, OP_MUNMAP, OP_MPROTECT, OP_MADVISE, OP_MREMAP, OP_MREMAP_DONTUNMAP,
	OP_CPU_WRITE, OP_CPU_READ, OP_FILE_READ, OP_FILE_WRITE,
	OP_DEV_READ, OP_DEV_READ_UNLOCKED, OP_DEV_WRITE, OP_MIGRATE_TO_DEV, OP_MIGRATE_TO_SYS,
	OP_FAULT_MIGRATE_TO_DEV, OP_EXCLUSIVE, OP_CHECK_EXCLUSIVE, OP_FAIL_ALLOC, OP_SNAPSHOT,
	OP_EVICT, OP_RELEASE, OP_OPEN, OP_CLOSE,
	OP_PAGEMAP, OP_SCAN, OP_CLEAR_SOFT_DIRTY, OP_PIN, OP_GUP, OP_UNPIN, OP_FORK, OP_EXIT,
	OP_OOM_REAP, OP_UFFD_REGISTER, OP_UFFD_UNREGISTER, OP_UFFD_COPY, OP_UFFD_SERVE, OP_UFFD_STOP,
	OP_COUNT
};

enum field {
	F_PROC, F_BUF, F_PAGE, F_PAGES, F_PROT, F_KIND, F_ADVICE, F_TO_BUF, F_TO_PAGE, F_TAG, F_DEV,
	F_WRITE, F_ID, F_HOW, F_CHILD, F_FAULTS,
	F_COUNT
};

/* What `kind` of mmap and `how` of gup are in f[]. */
enum { KIND_ANON, KIND_ANON_SHARED, KIND_FILE_PRIVATE, KIND_FILE_SHARED, KIND_HUGETLB, KIND_DRIVER };
enum { HOW_GET, HOW_GET_FAST, HOW_PIN, HOW_PIN_FAST, HOW_PIN_LONGTERM, HOW_PIN_FAST_LONGTERM };

/* What the values of a result are. */
enum sort { SORT_TAGS, SORT_PROT, SORT_BITS };

/* What an operation came to. It lies in memory that all processes of a program share. */
struct result {
	int ran;
	int error;		/* errno, 0 for none */
	int signal;		/* SIGSEGV, SIGBUS, 0 for none */
	int sort;
	int64_t done, cpages, faults;	/* -1: not told */
	int64_t count;		/* values, -1: none are told */
	uint64_t value[];	/* room for as many as the operation has pages */
};

struct op {
	enum op_code code;
	long f[F_COUNT];
	struct result *result;
};

struct list {
	struct op *ops;
	int count;
};

/* Which list of a program: a sequential one has the first alone. */
enum { LIST_OPS, LIST_TASK, LIST_AFTER = LIST_TASK + MAX_TASKS, LIST_COUNT };

struct program {
	char name[NAME_ROOM];	/* JSON as it came, with its quotes */
	/* operations or setup; one for each task; after */
	struct list lists[LIST_COUNT];
	int tasks;		/* that run at the same time; 0: a sequential program */
	char task_names[MAX_TASKS][NAME_ROOM];
	long rounds;		/* how often a concurrent program is run */
	long skew;		/* microseconds by which tasks may begin apart */
	unsigned used;		/* bits of enum need */
	unsigned devices;	/* bits of those that are to be open from the start: that it names */
	int keeps_files;
	int first_exits;	/* process 0 exits before the program ends */
	long hugetlb_pages;	/* of the pool, -1: as it is */
	long seconds;		/* that it may take */
};

/* What a program needs of the kernel. */
enum need {
	NEED_DMIRROR = 1, NEED_COHERENT = 2, NEED_UFFD = 4, NEED_GUP_TEST = 8, NEED_HUGETLB = 16,
	NEED_SCAN = 32, NEED_NOTHING_THERE_IS = 64, NEED_GUP_HOLD = 128, NEED_SOFT_DIRTY = 256,
	NEED_ONE_PROCESS = 512, NEED_NO_EXIT = 1024
};

extern const char *const op_names[OP_COUNT];

/*
 * Reads one line. The operations are allocated; program_free() gives them back.
 * Returns NULL, or what is wrong with it, in words.
 */
const char *program_read(struct program *p, const char *line);
void program_free(struct program *p);

#endif

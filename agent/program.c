/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads a memory program, one line of JSON. The sender has held it to the format; what is checked here is
 * what the agent must be able to rely on: known operations and fields, and every number within its bounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "program.h"

const char *const op_names[OP_COUNT] = {
	"mmap", "munmap", "mprotect", "madvise", "mremap", "mremap_dontunmap", "cpu_write", "cpu_read",
	"file_read", "file_write", "dev_read", "dev_read_unlocked", "dev_write", "migrate_to_dev",
	"migrate_to_sys", "fault_migrate_to_dev", "exclusive", "check_exclusive", "fail_alloc", "snapshot",
	"evict", "release", "open", "close", "pagemap", "scan", "clear_soft_dirty", "pin", "gup", "unpin",
	"fork", "exit", "oom_reap", "uffd_register", "uffd_unregister", "uffd_copy", "uffd_serve", "uffd_stop",
};

struct choice { const char *name; long value; };

static const struct choice prots[] = {
	{ "none", PROT_NONE }, { "r", PROT_READ }, { "rw", PROT_READ | PROT_WRITE }, { 0, 0 } };
static const struct choice kinds[] = {
	{ "anon", KIND_ANON }, { "anon-shared", KIND_ANON_SHARED }, { "file-private", KIND_FILE_PRIVATE },
	{ "file-shared", KIND_FILE_SHARED }, { "hugetlb", KIND_HUGETLB }, { "driver", KIND_DRIVER }, { 0, 0 } };
/* Numbers of include/uapi/asm-generic/mman-common.h: a C library may be older than the kernel. */
static const struct choice advices[] = {
	{ "willneed", 3 }, { "dontneed", 4 }, { "free", 8 }, { "dontfork", 10 }, { "hugepage", 14 },
	{ "nohugepage", 15 }, { "cold", 20 }, { "pageout", 21 }, { "populate_read", 22 },
	{ "populate_write", 23 }, { "collapse", 25 }, { 0, 0 } };
static const struct choice hows[] = {
	{ "get", HOW_GET }, { "get_fast", HOW_GET_FAST }, { "pin", HOW_PIN }, { "pin_fast", HOW_PIN_FAST },
	{ "pin_longterm", HOW_PIN_LONGTERM }, { "pin_fast_longterm", HOW_PIN_FAST_LONGTERM }, { 0, 0 } };

static const struct {
	const char *name;
	long max;
	const struct choice *choices;
} fields[F_COUNT] = {
	[F_PROC] = { "proc", MAX_PROCS - 1, 0 }, [F_BUF] = { "buf", 59, 0 },
	[F_PAGE] = { "page", (1 << 20) - 1, 0 }, [F_PAGES] = { "pages", 1 << 20, 0 },
	[F_PROT] = { "prot", 0, prots }, [F_KIND] = { "kind", 0, kinds }, [F_ADVICE] = { "advice", 0, advices },
	[F_TO_BUF] = { "toBuf", 59, 0 }, [F_TO_PAGE] = { "toPage", (1 << 20) - 1, 0 },
	[F_TAG] = { "tag", 1L << 31, 0 }, [F_DEV] = { "dev", MAX_DEVICES - 1, 0 }, [F_WRITE] = { "write", 1, 0 },
	[F_ID] = { "id", MAX_PINS - 1, 0 }, [F_HOW] = { "how", 0, hows }, [F_CHILD] = { "child", MAX_PROCS - 1, 0 },
	[F_FAULTS] = { "faults", MAX_PAGES, 0 },
};

#define B(f) (1u << (f))
#define RANGE (B(F_BUF) | B(F_PAGE) | B(F_PAGES))
/* The fields that an operation must have. */
static const unsigned required[OP_COUNT] = {
	[OP_MMAP] = RANGE | B(F_PROT) | B(F_KIND), [OP_MUNMAP] = RANGE, [OP_MPROTECT] = RANGE | B(F_PROT),
	[OP_MADVISE] = RANGE | B(F_ADVICE), [OP_MREMAP] = RANGE | B(F_TO_BUF) | B(F_TO_PAGE),
	[OP_MREMAP_DONTUNMAP] = RANGE | B(F_TO_BUF) | B(F_TO_PAGE),
	[OP_CPU_WRITE] = RANGE | B(F_TAG), [OP_CPU_READ] = RANGE,
	[OP_FILE_READ] = RANGE, [OP_FILE_WRITE] = RANGE | B(F_TAG),
	[OP_DEV_READ] = RANGE | B(F_DEV), [OP_DEV_READ_UNLOCKED] = RANGE | B(F_DEV),
	[OP_DEV_WRITE] = RANGE | B(F_DEV) | B(F_TAG), [OP_MIGRATE_TO_DEV] = RANGE | B(F_DEV),
	[OP_MIGRATE_TO_SYS] = RANGE | B(F_DEV), [OP_FAULT_MIGRATE_TO_DEV] = RANGE | B(F_DEV) | B(F_WRITE),
	[OP_EXCLUSIVE] = RANGE | B(F_DEV), [OP_CHECK_EXCLUSIVE] = RANGE | B(F_DEV), [OP_FAIL_ALLOC] = B(F_DEV),
	[OP_SNAPSHOT] = RANGE | B(F_DEV), [OP_EVICT] = B(F_DEV), [OP_RELEASE] = B(F_DEV), [OP_OPEN] = B(F_DEV),
	[OP_CLOSE] = B(F_DEV), [OP_PAGEMAP] = RANGE, [OP_SCAN] = RANGE,
	[OP_PIN] = B(F_ID) | B(F_BUF) | B(F_PAGE), [OP_GUP] = RANGE | B(F_ID) | B(F_WRITE) | B(F_HOW),
	[OP_UNPIN] = B(F_ID), [OP_FORK] = B(F_CHILD), [OP_UFFD_REGISTER] = RANGE, [OP_UFFD_UNREGISTER] = RANGE,
	[OP_UFFD_COPY] = RANGE | B(F_TAG), [OP_UFFD_SERVE] = B(F_FAULTS) | B(F_TAG),
};

/* ---- JSON ---- */

static const char *at;		/* what is to be read next */
static char wrong[200];

#define WRONG(...) (snprintf(wrong, sizeof wrong, __VA_ARGS__), wrong)

static void blanks(void)
{
	while (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')
		at++;
}

static int take(char c)
{
	blanks();
	if (*at != c)
		return 0;
	at++;
	return 1;
}

/* A string; its raw text without the quotes goes to `into` as far as there is room. */
static int string(char *into, size_t room)
{
	size_t n = 0;

	if (!take('"'))
		return 0;
	for (; *at && *at != '"'; at++) {
		if (*at == '\\' && at[1]) {
			if (into && n + 1 < room)
				into[n++] = *at;
			at++;
		}
		if (into && n + 1 < room)
			into[n++] = *at;
	}
	if (into)
		into[n] = 0;
	return take('"');
}

/* Any value, of which nothing is wanted. */
static int skip(int depth)
{
	blanks();
	if (depth > 64)
		return 0;
	if (*at == '"')
		return string(NULL, 0);
	if (*at == '{' || *at == '[') {
		char end = *at == '{' ? '}' : ']';
		int object = *at++ == '{';

		if (take(end))
			return 1;
		do {
			if (object && (!string(NULL, 0) || !take(':')))
				return 0;
			if (!skip(depth + 1))
				return 0;
		} while (take(','));
		return take(end);
	}
	if (!*at || strchr(",]}:", *at))
		return 0;
	while (*at && !strchr(",]}: \t", *at))
		at++;
	return 1;
}

static int number(long *value)
{
	char *end;

	blanks();
	*value = strtol(at, &end, 10);
	if (end == at)
		return 0;
	at = end;
	return 1;
}

/* ---- operations ---- */

static int choose(const struct choice *choices, const char *name, long *value)
{
	for (; choices->name; choices++) {
		if (strcmp(choices->name, name))
			continue;
		*value = choices->value;
		return 1;
	}
	return 0;
}

static const char *read_op(struct op *op, int index)
{
	unsigned given = 0;
	char key[32], word[32];
	int f;

	memset(op, 0, sizeof *op);
	op->code = OP_COUNT;
	if (!take('{'))
		return WRONG("op %d: no object", index);
	do {
		if (!string(key, sizeof key) || !take(':'))
			return WRONG("op %d: no JSON", index);
		if (!strcmp(key, "op")) {
			if (!string(word, sizeof word))
				return WRONG("op %d: its name is no string", index);
			for (op->code = 0; op->code < OP_COUNT && strcmp(op_names[op->code], word);)
				op->code++;
			if (op->code == OP_COUNT)
				return WRONG("op %d: no operation is called %s", index, word);
			continue;
		}
		for (f = 0; f < F_COUNT && strcmp(fields[f].name, key);)
			f++;
		if (f == F_COUNT) {
			if (!skip(0))
				return WRONG("op %d: no JSON", index);
		} else if (fields[f].choices) {
			if (!string(word, sizeof word) || !choose(fields[f].choices, word, &op->f[f]))
				return WRONG("op %d: no such value of %s", index, key);
			given |= B(f);
		} else {
			if (!number(&op->f[f]) || op->f[f] < 0 || op->f[f] > fields[f].max)
				return WRONG("op %d: %s is no number from 0 to %ld", index, key, fields[f].max);
			given |= B(f);
		}
	} while (take(','));
	if (!take('}'))
		return WRONG("op %d: no JSON", index);
	if (op->code == OP_COUNT)
		return WRONG("op %d: it has no name", index);
	for (f = 0; f < F_COUNT; f++)
		if (required[op->code] & ~given & B(f))
			return WRONG("op %d (%s): no %s", index, op_names[op->code], fields[f].name);
	if (op->code != OP_MMAP && op->code != OP_MUNMAP && op->f[F_PAGES] > MAX_PAGES)
		return WRONG("op %d (%s): more than %d pages", index, op_names[op->code], MAX_PAGES);
	if (op->f[F_PAGE] + op->f[F_PAGES] > 1 << 20 || op->f[F_TO_PAGE] + op->f[F_PAGES] > 1 << 20)
		return WRONG("op %d (%s): it ends behind its buffer", index, op_names[op->code]);
	if (op->code == OP_FORK && op->f[F_CHILD] == 0)
		return WRONG("op %d (fork): process 0 is there", index);
	return NULL;
}

/* A string, which is kept as it is written. */
static const char *read_name(char *into)
{
	const char *start;

	blanks();
	start = at;
	if (!string(NULL, 0) || at - start >= NAME_ROOM)
		return WRONG("a name is no string, or too long");
	memcpy(into, start, at - start);
	into[at - start] = 0;
	return NULL;
}

static const char *read_list(struct list *list)
{
	int room = 0;

	if (!take('['))
		return WRONG("the operations are no array");
	if (take(']'))
		return NULL;
	do {
		const char *bad;

		if (list->count == room) {
			struct op *more = realloc(list->ops, (room = room ? 2 * room : 64) * sizeof *more);

			if (!more)
				return WRONG("no memory");
			list->ops = more;
		}
		bad = read_op(&list->ops[list->count], list->count);
		if (bad)
			return bad;
		list->count++;
	} while (take(','));
	return take(']') ? NULL : WRONG("no JSON");
}

/* ---- what it needs ---- */

static unsigned needs_of(const struct op *op)
{
	switch (op->code) {
	case OP_MMAP:
		if (op->f[F_KIND] == KIND_HUGETLB)
			return NEED_HUGETLB;
		return op->f[F_KIND] == KIND_DRIVER ? NEED_DMIRROR : 0;
	case OP_DEV_READ: case OP_DEV_READ_UNLOCKED: case OP_DEV_WRITE: case OP_MIGRATE_TO_DEV:
	case OP_MIGRATE_TO_SYS: case OP_FAULT_MIGRATE_TO_DEV: case OP_EXCLUSIVE: case OP_CHECK_EXCLUSIVE:
	case OP_FAIL_ALLOC: case OP_SNAPSHOT: case OP_EVICT: case OP_RELEASE: case OP_OPEN: case OP_CLOSE:
		return NEED_DMIRROR | (op->f[F_DEV] >= 2 ? NEED_COHERENT : 0);
	case OP_SCAN:
		return NEED_SCAN;
	case OP_CLEAR_SOFT_DIRTY:
		return NEED_SOFT_DIRTY;
	case OP_GUP:
		/* the kernel's own driver holds what it took for long, and nothing else */
		return op->f[F_HOW] >= HOW_PIN_LONGTERM ? NEED_GUP_TEST : NEED_GUP_HOLD;
	case OP_OOM_REAP:
		return NEED_NOTHING_THERE_IS;
	case OP_UFFD_REGISTER: case OP_UFFD_UNREGISTER: case OP_UFFD_COPY: case OP_UFFD_SERVE: case OP_UFFD_STOP:
		return NEED_UFFD;
	default:
		return 0;
	}
}

/* Which processes there are is the program's to say: one that is not there would never answer. */
static const char *check_processes(const struct list *list, unsigned *alive, unsigned *taken)
{
	int i;

	for (i = 0; i < list->count; i++) {
		const struct op *op = &list->ops[i];

		if (!(*alive & B(op->f[F_PROC])))
			return WRONG("op %d (%s): there is no process %ld", i, op_names[op->code], op->f[F_PROC]);
		if (op->code == OP_EXIT)
			*alive &= ~B(op->f[F_PROC]);
		if (op->code != OP_FORK)
			continue;
		if (*taken & B(op->f[F_CHILD]))
			return WRONG("op %d (fork): process %ld has been made", i, op->f[F_CHILD]);
		*alive |= B(op->f[F_CHILD]);
		*taken |= B(op->f[F_CHILD]);
	}
	return NULL;
}

/* A task sees the processes that setup has made, and its own; what comes after sees all. */
static const char *check_lists(struct program *p)
{
	unsigned alive = 1, taken = 1, all, own;
	const char *bad = check_processes(&p->lists[LIST_OPS], &alive, &taken);
	int k;

	all = alive;
	for (k = 0; k < p->tasks && !bad; k++) {
		own = alive;
		bad = check_processes(&p->lists[LIST_TASK + k], &own, &taken);
		all |= own;
	}
	return bad ? bad : check_processes(&p->lists[LIST_AFTER], &all, &taken);
}

/* What it needs, and which devices it names. */
static void look_through(struct program *p)
{
	int list, i;

	for (list = 0; list < LIST_COUNT; list++) {
		const struct list *l = &p->lists[list];

		for (i = 0; i < l->count; i++) {
			const struct op *op = &l->ops[i];
			unsigned needs = needs_of(op);

			p->used |= needs;
			/* that of a mapping of kind `driver` is device 0, which the field has then */
			if (needs & NEED_DMIRROR)
				p->devices |= B(op->f[F_DEV]);
			p->keeps_files |= op->code == OP_FILE_READ || op->code == OP_FILE_WRITE;
			p->first_exits |= op->code == OP_EXIT && op->f[F_PROC] == 0;
			if (p->tasks && op->code == OP_EXIT)
				p->used |= NEED_NO_EXIT;
			if (list >= LIST_TASK && list < LIST_AFTER && op->f[F_PROC] != l->ops[0].f[F_PROC])
				p->used |= NEED_ONE_PROCESS;
		}
	}
}

static const char *read_tasks(struct program *p)
{
	if (!take('{'))
		return WRONG("tasks is no object");
	do {
		const char *bad;
		char *name = p->task_names[p->tasks];

		if (p->tasks == MAX_TASKS)
			return WRONG("more than %d tasks", MAX_TASKS);
		bad = read_name(name);
		if (bad)
			return bad;
		if (!take(':'))
			return WRONG("no JSON");
		bad = read_list(&p->lists[LIST_TASK + p->tasks]);
		if (bad)
			return bad;
		p->tasks++;
	} while (take(','));
	return take('}') ? NULL : WRONG("no JSON");
}

static const char *read_machine(struct program *p)
{
	char key[32];

	if (!take('{'))
		return WRONG("machine is no object");
	if (take('}'))
		return NULL;
	do {
		if (!string(key, sizeof key) || !take(':'))
			return WRONG("no JSON");
		if (!strcmp(key, "hugetlbPages") ? !number(&p->hugetlb_pages) : !skip(0))
			return WRONG("no JSON");
	} while (take(','));
	return take('}') ? NULL : WRONG("no JSON");
}

const char *program_read(struct program *p, const char *line)
{
	char key[32];

	memset(p, 0, sizeof *p);
	strcpy(p->name, "null");
	p->hugetlb_pages = -1;
	p->seconds = 60;
	p->rounds = 1;
	p->skew = 400;
	at = line;
	if (!take('{'))
		return WRONG("no program (a JSON object)");
	do {
		const char *bad = NULL;

		if (!string(key, sizeof key) || !take(':'))
			return WRONG("no JSON");
		if (!strcmp(key, "name"))
			bad = read_name(p->name);
		else if ((!strcmp(key, "ops") || !strcmp(key, "setup")) && !p->lists[LIST_OPS].ops)
			bad = read_list(&p->lists[LIST_OPS]);
		else if (!strcmp(key, "tasks") && !p->tasks)
			bad = read_tasks(p);
		else if (!strcmp(key, "after") && !p->lists[LIST_AFTER].ops)
			bad = read_list(&p->lists[LIST_AFTER]);
		else if (!strcmp(key, "machine"))
			bad = read_machine(p);
		else if (!strcmp(key, "seconds") || !strcmp(key, "rounds") || !strcmp(key, "skew")) {
			long *value = *key == 'r' ? &p->rounds : key[1] == 'e' ? &p->seconds : &p->skew;

			if (!number(value) || *value < 1)
				return WRONG("%s is no number from 1", key);
		} else if (!skip(0))
			return WRONG("no JSON");
		if (bad)
			return bad;
	} while (take(','));
	if (!take('}'))
		return WRONG("no JSON");
	blanks();
	if (*at)
		return WRONG("there is something behind the program");
	look_through(p);
	return check_lists(p);
}

void program_free(struct program *p)
{
	int list;

	for (list = 0; list < LIST_COUNT; list++) {
		free(p->lists[list].ops);
		p->lists[list].ops = NULL;
	}
}

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef AGENT_PERFORM_H
#define AGENT_PERFORM_H

#include "program.h"

#define PAGE 4096UL
/* Page 0 of buffer 0, and how far the next buffer is. */
#define BASE 0x100000000000UL
#define SPACING 0x200000000UL

/* What a task works with: memory through which it hands pages to the device's driver. */
struct actor {
	char *mirror;		/* MAX_PAGES pages, shared so that no fork copies them */
};

int actor_make(struct actor *actor);

/* Once, before any program. */
void perform_init(void);
/* Process 0 of a program begins: it opens what it has open from the start. Returns an errno. */
int perform_begin(const struct program *p);
/* A child has been made: what it does not inherit goes. */
void perform_forked(void);
/* Any operation but fork and exit. */
void perform(struct actor *actor, struct op *op);

/* What a look at this kernel says it has; see enum need. */
int device_there(int dev);
int uffd_there(void);
int gup_test_there(void);
int scan_there(void);
int soft_dirty_there(void);

#endif

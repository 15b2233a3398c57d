/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef AGENT_RUN_H
#define AGENT_RUN_H

#include "program.h"

/* How a program ended. */
enum ending {
	ENDED,		/* every operation has returned */
	DIED,		/* a process of it was killed */
	HUNG,		/* it took longer than it may; all of it is gone */
	STUCK		/* it took longer than it may, and cannot be killed */
};

struct run {
	enum ending ending;
	int op;			/* that it was in, where it did not end */
	int error;		/* errno of what it was to have from the start; 0 for none */
	const char *said;	/* what the kernel reported meanwhile, a line each; "" for nothing */
	int said_op;		/* the operation after which that was seen, -1: as the program was taken down */
};

/* Memory that is shared with programs. Returns an errno. */
int run_init(void);
/* Room for the results of a program. Returns 0, or -1 where there is not enough. */
int run_room(struct program *p);
/* Runs a program and waits until nothing is left of it. */
void run_program(struct program *p, struct run *run);

#endif

/**
 * The tests of tools/testing/selftests/mm/hmm-tests.c, in its order, and after them the series'. The
 * same steps and the same assertions.
 *
 * Models: tools/testing/selftests/mm/hmm-tests.c
 */
import type { SelfTest } from '../harness.ts';
import { benchmarkThpMigration } from './benchmark.ts';
import * as access from './device-access.ts';
import * as huge from './huge.ts';
import { migrateOnFault, migrateOnFaultMissing } from './migrate-on-fault.ts';
import * as migration from './migration.ts';
import * as sharing from './sharing.ts';

export const TESTS: readonly SelfTest[] = [
  access.openClose,
  access.anonRead,
  access.anonReadProt,
  access.anonWrite,
  access.anonWriteProt,
  access.anonWriteChild,
  access.anonWriteChildShared,
  access.anonWriteHuge,
  access.anonWriteHugetlbfs,
  access.fileRead,
  access.fileWrite,
  migration.migrate,
  migration.migrateFilePrivate,
  migration.migrateFault,
  migration.migrateRelease,
  migration.migrateShared,
  migration.migrateMixed,
  migration.migrateMultiple,
  access.anonReadMultiple,
  access.anonTeardown,
  sharing.mixedmap,
  sharing.snapshot,
  sharing.compound,
  sharing.doubleMap,
  sharing.exclusive,
  sharing.exclusiveMprotect,
  sharing.exclusiveCow,
  sharing.gup,
  sharing.cowInDevice,
  huge.migrateAnonHugeEmpty,
  huge.migrateAnonHugeZero,
  huge.migrateAnonHugeFree,
  huge.migrateAnonHugeFault,
  huge.migratePartialUnmapFault,
  huge.migrateRemapFault,
  huge.migrateAnonHugeErr,
  huge.migrateAnonHugeZeroErr,
  benchmarkThpMigration,
  access.userfaultfdRead,
  migrateOnFault,
  migrateOnFaultMissing,
];

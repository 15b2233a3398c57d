/** Which test drivers there are. */

/** The test driver as it is here, or with the guards of lib/test_hmm.c alone. */
export const DRIVERS = ['mended', 'stock'] as const;
export type DriverName = (typeof DRIVERS)[number];

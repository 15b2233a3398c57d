/** The walks that prepare a migration. */
export const WALKS = ['collect', 'unified', 'as-posted'] as const;
/** How a migration is prepared: which walk `migrate_vma_setup()` makes. */
export type Walk = (typeof WALKS)[number];
